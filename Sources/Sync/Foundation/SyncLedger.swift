public import Provenance
public import TwinCore

/// The foundation's storage, as the protocol needs it. Several workers in several processes may use one store.
///
/// Each call is one transaction: when it returns, its effect is durable; when it throws, there is none. Nothing moves
/// `StoredLog.safe` or a site's `directedNext` back.
public protocol SyncLedger: AnyObject {
  /// The fencing term of the lease this process writes under; grows with every take-over. A call that writes under a
  /// lower term than the store's throws `ledger.lease_lost`.
  var term: UInt64 { get }

  func site(_ name: SiteName) throws(LedgerFault) -> SiteRecord?

  /// Nil where nothing of the log is stored.
  func stored(_ log: LogName) throws(LedgerFault) -> StoredLog?

  /// Applies each batch in order, all in one transaction, one result each. A batch that is not appended writes nothing
  /// but its evidence and does not hinder the others.
  ///
  /// For each: the record must be active and the epoch open, else `refused`; entries below the stored head are
  /// compared byte for byte; entries from it on are appended if the chain before them and the root after them are the
  /// stored ones.
  func apply(_ batches: [AdmittedBatch]) throws(LedgerFault) -> [ApplyResult]

  /// Moves the head over a declared loss if the stored head still is `gap.from`; the range is recorded with its
  /// evidence. Answers what is stored then.
  func declare(_ gap: DeclaredGap) throws(LedgerFault) -> StoredLog

  /// Keeps checkpoints; one that is not newer than the log's newest, or not of the stored tree, is passed over. `safe`
  /// follows when the store knows that everything below it survives the loss of this node.
  func keep(_ checkpoints: [KeptCheckpoint]) throws(LedgerFault)

  /// Records an epoch if it is not there; answers what is recorded.
  func open(_ epoch: SiteEpoch, of site: SiteName, evidence: [UInt8]) throws(LedgerFault) -> SiteEpoch
  /// Heads of a closed epoch stay; nothing is appended to it anymore.
  func close(_ epoch: LogEpoch, of site: SiteName, reason: String) throws(LedgerFault)

  /// Only an operator lifts it.
  func quarantine(_ site: SiteName, reason: String, evidence: [[UInt8]]) throws(LedgerFault)

  /// Keeps a message for a later release. The same bytes are kept once; the newest give way when the site's share
  /// (`SyncLimits.heldMessagesMax`) is used up. Answers whether it is kept.
  func hold(_ message: HeldMessage) throws(LedgerFault) -> Bool

  /// The newest accepted birth of the site, kept for operators and for the next worker.
  func noteBirth(_ birth: Birth, of site: SiteName, at: Instant, evidence: [UInt8]) throws(LedgerFault)
  func presence(of site: SiteName) throws(LedgerFault) -> SitePresence?
  func note(_ presence: SitePresence) throws(LedgerFault)
  /// Those whose `dueAt` lies before `instant`, earliest first.
  func presences(dueBefore instant: Instant, limit: Int) throws(LedgerFault) -> [SitePresence]

  /// Appends to the foundation's log for one site; answers its sequence, from 0 without holes.
  func appendDirected(
    to site: SiteName, kind: LogKind, body: [UInt8], at: Instant
  ) throws(LedgerFault) -> UInt64
  func directed(to site: SiteName, from: UInt64, limit: Int) throws(LedgerFault) -> [DirectedEntry]
  /// The first entry that the site has not said to have installed.
  func directedNext(of site: SiteName) throws(LedgerFault) -> UInt64
  /// The site has installed everything below `next`.
  func noteDirected(to site: SiteName, next: UInt64) throws(LedgerFault)

  /// The root of the foundation's own log at one size; nil beyond its end.
  func foundationRoot(at size: UInt64) throws(LedgerFault) -> Digest?
  /// That the log of the one size begins with the other; nil beyond its end.
  func foundationProof(_ sizes: LogSpan) throws(LedgerFault) -> [Digest]?
}

extension SyncLedger {
  public func head(
    _ site: SiteName, _ epoch: LogEpoch, _ stream: LogStream
  ) throws(LedgerFault) -> LogHead? {
    try stored(LogName(site: site, epoch: epoch, stream: stream))?.head
  }

  public func apply(_ batch: AdmittedBatch) throws(LedgerFault) -> ApplyResult { try apply([batch])[0] }
}
