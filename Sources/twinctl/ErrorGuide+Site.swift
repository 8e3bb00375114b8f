extension ErrorGuide {
  /// What the site itself says: refusals, problems of `twinctl status`, reasons for which the daemon does not start.
  static let site: [Entry] = envelope + models + learning + problems + start

  private static let envelope: [Entry] = [
    Entry(
      "control.no_answer", "The control loop did not take the request in time.",
      "twinctl status; a loop that hangs is restarted by systemd's watchdog."),
    Entry(
      "decision.none", "Nothing was ever decided about the point.",
      "twinctl envelope list: without one twind never writes it."),
    Entry("decision.unreadable", "The record is damaged.", "twinctl status names a damaged store."),
    Entry(
      "envelope.budget", "The register's writes for the day are used up: it wears.",
      "Wait; or raise writes_per_day, if the vendor says that the register bears it."),
    Entry(
      "envelope.dead_man", "Nothing protects the plant if twind dies, so the point is never in auto.",
      "Declare the device's watchdog in the profile, or have the owner sign unattended: accepted."),
    Entry("envelope.finite", "The value is not a number.", "Give a number."),
    Entry(
      "envelope.fresh", "A reading that the envelope needs is missing or too old.",
      "twinctl points shows which; twinctl collect test DEVICE finds out why."),
    Entry("envelope.hold", "The last change is too recent.", "Wait for the envelope's rest: twinctl envelope show."),
    Entry("envelope.interlock", "A condition of the envelope does not hold.", "The answer names it; see its owner."),
    Entry(
      "envelope.latch", "A latching condition was false once, and nobody has reset it.",
      "Look at the plant; twinctl override clear POINT resets the latch."),
    Entry("envelope.mode", "The mode does not let it be written.", "twinctl mode show."),
    Entry("envelope.none", "The point has no envelope, so twind never writes it.", "Give it one in envelopes.yaml."),
    Entry("envelope.operator_hold", "A person holds the point.", "twinctl override list; it ends by itself."),
    Entry(
      "envelope.out_of_range", "The value lies outside the signed safety envelope of the point. Nothing was written.",
      "Take the nearest allowed value that the answer names; to change the envelope, see its owner."),
    Entry("envelope.rate", "The value would change faster than the envelope allows.", "Go in steps, or wait."),
    Entry(
      "envelope.resolution", "The register cannot hold an allowed value.",
      "Compare the profile's scale with the limits."),
    Entry(
      "mode.above_ceiling", "The pack's signature, the configuration or the environment holds the mode lower.",
      "twinctl mode show says which."),
    Entry("override.none", "Nobody holds the point.", "twinctl override list."),
    Entry(
      "write.mismatched", "The device acknowledged the write and shows another value.", "twinctl collect test DEVICE."),
    Entry("write.not_sent", "The write did not leave: no receipt in time, or no connection.", "twinctl status."),
    Entry(
      "write.refused_by_device", "The device answered the write with an exception.",
      "Compare the profile with the vendor's map."),
    Entry("write.unknown", "No answer to the write: it may have happened.", "twinctl collect test DEVICE."),
  ]

  private static let models: [Entry] = [
    Entry(
      "model.drift", "The plant is no longer the one that the model was fitted to, or a sensor or actuator is wrong.",
      "twinctl model drift MODEL says which; mend it and twinctl model watch MODEL, or twinctl model train MODEL."),
    Entry(
      "model.no_challenger", "No version runs beside the one at work, so there is none to promote or to let go.",
      "twinctl model train MODEL; twinctl model lineage MODEL tells what became of the last one."),
    Entry(
      "model.no_learner", "The daemon has nobody who trains models.", "Install and start twind-learn, then ask again."),
    Entry(
      "model.no_previous",
      "The version before is let go 14 days after it stepped down, or was never there.",
      "twinctl model lineage MODEL; to learn anew: twinctl model train MODEL."),
    Entry(
      "model.none", "The site has no models: the pack names none, and no asset is a case of a template.",
      "twinctl pack check --models says what was passed over; docs/models.md says what templates need."),
  ]

  private static let problems: [Entry] = [
    Entry(
      "clock.untrusted",
      "The system does not say that UTC is right. Control goes on; schedules and tariffs are unknown.",
      "chronyc sources -v. Where the host keeps the time: clock: assumed in edge.yaml."),
    Entry(
      "device.silent", "A unit does not answer; it is tried again with growing pauses.", "twinctl collect test DEVICE."),
    Entry(
      "kernel.recovery", "The last state could not be carried over whole.",
      "Holds, rates and budgets count from the start on; keep the output of twinctl replay."),
    Entry("lease.open", "Setpoints of an earlier run are not given back.", "twind revert --config FILE."),
    Entry(
      "link.unreachable", "A connection cannot be opened; every device behind it is silent.", "Check cable and power."),
    Entry("pack.unsigned", "The pack is not signed, so nothing is written.", "twinctl pack sign DIR --keys DIR."),
    Entry(
      "store.disk_full", "Records find no room. What cannot be recorded is not written to the plant.",
      "Free space on the volume of the state folder; recording resumes by itself."),
    Entry(
      "store.dropped", "Ticks waited for the disk too long and were dropped; decisions never are.", "Check the disk."),
  ]

  private static let start: [Entry] = [
    Entry(
      "edge.config_unreadable", "The configuration cannot be read.", "Check the path and the rights of user twind."),
    Entry("edge.no_timezone", "The pack's time zone is not on this machine.", "Install package tzdata."),
    Entry(
      "edge.pack_broken", "Something contradicts a signature; nothing of the pack is used.", "twinctl pack verify."),
    Entry("edge.pack_invalid", "The pack has errors.", "twinctl pack check DIR names each at its place."),
    Entry(
      "edge.pack_rollback", "The pack is older than one that this site has run, however well it is signed.",
      "Sign what you want to go back to under a higher version."),
    Entry("pack.invalid", "The pack has errors.", "twinctl pack check DIR names each at its place."),
    Entry("pack.test_failed", "A test of the pack fails.", "Mend the envelope, or the test."),
    Entry("provenance.unsigned", "A signature is missing.", "twinctl pack sign DIR --keys DIR."),
    Entry(
      "store.locked", "Another daemon uses this state folder.",
      "Stop it: two daemons on one plant would fight each other."),
    Entry("store.newer_version", "The store was written by a newer release.", "Run that release; nothing was touched."),
  ]
}
