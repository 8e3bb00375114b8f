extension ErrorGuide {
  /// What the exchange with a foundation says.
  static let fleet: [Entry] = exchange + trust + broker + ledger

  private static let exchange: [Entry] = [
    Entry(
      "sync.fork", "The foundation has another history of one of this site's streams than the site itself.",
      "Look for a second device that runs with a copy of this one's disk."),
    Entry(
      "sync.foundation_ahead", "The foundation has more of the log than the site: the site's disk was restored.",
      "Nothing, if it was: the foundation orders a new epoch."),
    Entry(
      "sync.foundation_lost", "The foundation fell back behind what it had called safe.",
      "Ask its operator which backup was restored there."),
    Entry(
      "sync.gap", "Entries that the foundation asks for are not kept any longer, and are declared lost.",
      "Read the declared gap in the audit stream; enlarge the log's budget if it comes again."),
    Entry(
      "sync.ack_age", "What the site told has not been acknowledged for five minutes.",
      "See that the foundation's workers run and reach the broker: twinctl fleet, there."),
    Entry(
      "sync.no_worker", "The broker has nobody to hand messages to.", "Start the foundation: twind foundation."),
    Entry(
      "sync.access_refused", "The broker's access rules refuse this site its own topics.",
      "twind doctor; compare the broker's access list with the site's name."),
    Entry(
      "sync.forged", "Messages came under this site's topics that its foundation did not sign. Nothing was obeyed.",
      "Take the broker for hostile until it is explained."),
    Entry(
      "sync.pack_refused", "A pack from the foundation was fetched and refused; the site runs the one it has.",
      "Read the cause, have the pack signed and published again: docs/runbooks/fleet.md."),
    Entry(
      "sync.frozen",
      "The foundation's own log contradicts what it said before: no pack, envelope or metadata of it is taken in.",
      "Ask its operators whether a backup was restored; their root keys restart the log: docs/runbooks/fleet.md."),
    Entry(
      "sync.degraded", "The foundation's word is out of date: nothing new is installed. The plant is not concerned.",
      "Bring the site into reach of its foundation, or carry its metadata there on a stick."),
    Entry(
      "sync.baseline",
      "The foundation's word is long out of date: nothing new is installed. The plant is not concerned.",
      "Bring the site into reach of its foundation, or carry its metadata there on a stick."),
    Entry(
      "sync.certificate_ends", "The site's certificate for the broker ends soon, and could not be renewed.",
      "twinctl sync says why; the site tries again by itself, at least once an hour."),
    Entry(
      "sync.certificate_ended", "The site's certificate for the broker has ended. The plant is not concerned.",
      "Look at the clock, then at twind doctor. Once the foundation answers at its enrolment port, the rest follows."),
    Entry(
      "edge.renewal_unanswered", "The foundation did not answer the request for a new certificate.",
      "See that it runs, and that the line lets the enrolment port through."),
    Entry(
      "edge.renewal_refused", "The foundation gives this site no new certificate.",
      "Read the cause: a revoked site is enrolled anew under another name."),
    Entry(
      "edge.renewal_foreign", "A certificate came that is not for this site, or for another key. It was not used.",
      "Take the broker for hostile until it is explained."),
    Entry(
      "edge.renewal_failed", "A renewal of the site's certificate could not begin.",
      "Nothing: it is tried again; the journal says more."),
    Entry(
      "edge.renewal_unwritten", "A renewed certificate could not be written.",
      "Look at the disk of the state directory; it is tried again."),
    Entry(
      "foundation.list_full", "More certificates are revoked than one list holds.",
      "Give the fleet a new device authority."),
    Entry(
      "fleet.broker_list", "The list of revoked certificates cannot be written; it is tried again every minute.",
      "Free space, or give the foundation's user its state directory back."),
    Entry(
      "fleet.broker_certificate", "The broker's certificate ends.",
      "Repeat twind-foundation init with the stick in, and copy the broker's files: docs/runbooks/fleet.md."),
    Entry(
      "edge.enrol_unanswered", "The foundation did not answer the request to enrol.",
      "See that it runs and that the token is open: twinctl fleet enrol list. The command may be repeated."),
    Entry(
      "delta_log.busy", "Another process has the site's signed log open.", "Stop the other twind of this site."),
    Entry(
      "delta_log.budget", "The site's signed log is full up to what is kept for decisions.",
      "Bring the site into reach of its foundation; decisions are still taken in."),
    Entry(
      "delta_log.corrupt", "The site's signed log contradicts itself. The plant is not concerned.",
      "Keep the file as evidence, then see docs/runbooks/fleet.md on a new epoch."),
    Entry(
      "delta_log.newer_version", "The site's signed log was written by a later release.",
      "Run that release; this one leaves the file alone."),
  ]

  private static let trust: [Entry] = [
    Entry(
      "provenance.token_malformed", "What was given is no token, or a part of it is missing.",
      "Copy the whole line that twinctl fleet enrol new printed."),
    Entry(
      "provenance.code_wrong", "A message of the enrolment was not made with this token's secret.",
      "Make a new token, and use it on both ends."),
    Entry(
      "provenance.enrolment_foreign", "The reply is for another site, another request, or from another fleet.",
      "Ask who runs the foundation; do not enrol until reply and token agree."),
    Entry(
      "provenance.enrolled", "This gateway is part of a fleet already.",
      "To enrol it anew, move the folder peer out of its state directory first; its log goes with it."),
    Entry(
      "provenance.root_unknown", "The fleet's first root is not the one that was named.",
      "Compare the fingerprint: twinctl keys show DIR."),
    Entry(
      "provenance.threshold_missed", "Right signatures, but by fewer keys than must agree.",
      "Have the other holders sign too."),
    Entry(
      "provenance.version_changed", "Two different contents under one version.",
      "Raise the version and sign again."),
    Entry(
      "provenance.envelope_older", "The envelopes are older than those that run, and may be wider.",
      "Have the safety key sign these envelopes for a new version of the pack."),
    Entry(
      "provenance.intake_frozen", "The foundation's log contradicts itself: no metadata but a root is taken in.",
      "Find out what happened to the log, then twinctl keys root DIR --log-restart: docs/runbooks/fleet.md."),
    Entry(
      "provenance.checkpoint_unproven", "It is not proven that the foundation's log only grew.",
      "A site asks for the proof by itself. For a witness this is the alarm: sign nothing, tell the operators."),
    Entry(
      "provenance.witness_missing", "Fewer witnesses than the root demands have signed the foundation's log.",
      "See that they run: twinctl fleet log."),
    Entry(
      "provenance.installs_off", "The fleet's word is too old to install anything by it; what was offered waits.",
      "Let the site reach its foundation."),
    Entry(
      "provenance.metadata_expired", "Signed metadata has ended.", "Sign and publish it anew."),
  ]

  private static let broker: [Entry] = [
    Entry(
      "mqtt.unreachable", "The broker cannot be reached.", "Check the line, the name and the port: twind doctor."),
    Entry(
      "mqtt.tls_failed", "The broker's certificate is not believed, or it does not believe ours.",
      "Compare authority, name and dates: twind doctor."),
    Entry(
      "mqtt.refused", "The broker answered and refused the session.", "Read the broker's log for the reason."),
    Entry("mqtt.timeout", "The broker did not answer in time.", "Check the line: twind doctor."),
    Entry(
      "mqtt.closed", "The connection ended. A certificate that the broker refuses may look like this.",
      "Nothing where it comes back by itself; else twind doctor."),
    Entry("mqtt.silent", "The broker said nothing for longer than was agreed.", "Check the line: twind doctor."),
  ]

  private static let ledger: [Entry] = [
    Entry(
      "ledger.lease_held", "Another foundation writes this ledger.",
      "Stop that one; this one waits a minute for the lease of one that died."),
    Entry(
      "ledger.lease_lost", "Another foundation has taken over; this one acknowledges nothing more.",
      "Stop one of the two, then start this one again."),
    Entry("ledger.unavailable", "The ledger cannot be reached.", "See that its server runs."),
    Entry("ledger.full", "There is no room for the ledger.", "Free space on its volume."),
    Entry("ledger.token_spent", "The token was used before.", "Make a new one; see who used the old one."),
    Entry(
      "fleet.log_split", "A site saw entries of this foundation's log that are not in it.",
      "Find out whether the ledger was restored or somebody shows two logs: docs/runbooks/fleet.md."),
    Entry(
      "fleet.refused", "The foundation refused what was asked; nothing was changed.", "Read the cause beside it."),
    Entry(
      "foundation.token_unknown", "There is no open token of that name.", "Make one: twinctl fleet enrol new SITE."),
    Entry(
      "store.folded",
      "Corrections from before the history horizon were folded: what was known between them cannot be told apart.",
      "Ask as of an earlier or a later moment."),
  ]
}
