import Glibc
import Harnesses
import Models
import Seams
import SiteKernel
import SitePack
import StatusAPI
import Training
import TwinCore

/// One run of the program: which models, over what, and how it is told.
struct LearnSession {
  let command: Learn
  /// Whether a model could not be trained; the others were.
  private(set) var hasFailed = false
  private let clock = SystemClock(assumed: true)
  private var folder: LearnFolder { LearnFolder(state: command.state) }
  private var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  static let daysUsual = 30
  static let lookNanoseconds: Int64 = 2_000_000_000

  init(command: Learn) { self.command = command }

  /// Models over the site's record. One that has too little is told, and the others go on.
  mutating func train(_ ids: [String], days: Int?) throws(TrainingFault) {
    let record = try SiteRecord(state: command.state, pack: command.pack)
    let trainer = trainer(days: days)
    for model in try record.models(ids) {
      do throws(TrainingFault) {
        if let trained = try trainer.train(model, in: record, tell: show) { tell(trained) }
      } catch {
        guard error.kind != .io, error.kind != .keyRefused else { throw error }
        hasFailed = true
        complain(error)
        try folder.tell(
          LearnProgress(model: model.id, phase: "failed", share: 0, text: error.message, at: clock.instant))
      }
    }
  }

  /// Models over a table of measurements or of a simulation.
  mutating func train(table path: String) throws(TrainingFault) {
    guard let bytes = SystemFiles.bytes(path, max: HistoryFile.bytesMax) else {
      throw TrainingFault(
        .historyMalformed, "\(path) cannot be read, or has more than \(HistoryFile.bytesMax) bytes",
        remedy: "check the path")
    }
    let file = try HistoryFile(bytes)
    let compiled = try SiteRecord.compiled(command.pack)
    let site = compiled.definition
    // Where the site has a record too, the candidate is to replace what is at work there.
    let record = try? SiteRecord(state: command.state, pack: command.pack)
    let rows = DurationText.parse(command.step ?? "") ?? 0
    let begin = Instant(rfc3339: command.from) ?? Instant(nanoseconds: 0)
    for model in try SiteRecord.models(command.model, of: site) {
      let history = try file.history(model, of: site, rowNanoseconds: rows, from: begin)
      let trained = try trainer(days: nil).train(
        model, over: history, source: "table \(path.split(separator: "/").last ?? "")".prefixed(200), site: site.id,
        champion: try record?.champion(of: model, at: .max), tell: show)
      if let trained { tell(trained) }
    }
  }

  /// What the daemon asks for; nothing where it does not.
  mutating func obey() throws(TrainingFault) {
    guard let request = try folder.request() else { return }
    say("asked for: \(request.reason)")
    try train(request.models, days: command.days ?? request.days)
    try folder.answer(request)
  }

  /// Until SIGTERM. What goes wrong is told, and tried again when the daemon asks again.
  mutating func watch() throws(TrainingFault) {
    var told = ""
    while true {
      do throws(TrainingFault) {
        try obey()
      } catch {
        if told != error.message { complain(error) }
        told = error.message
        if !error.isRetriable, error.kind != .io, let request = try? folder.request() { try folder.answer(request) }
      }
      var pause = timespec(tv_sec: Int(Self.lookNanoseconds / 1_000_000_000), tv_nsec: 0)
      _ = unsafe nanosleep(&pause, nil)
    }
  }

  private func trainer(days: Int?) -> Trainer {
    Trainer(
      folder: folder,
      settings: TrainingSettings(seed: command.seed, days: days ?? Self.daysUsual, starts: command.starts),
      codeVersion: API.release, clock: clock)
  }

  private func tell(_ trained: Trainer.Trained) {
    if isTerminal { write("\r\u{1B}[K", to: STDERR_FILENO) }
    guard command.output == .text else {
      say(trained.product.json(digest: trained.digest))
      return
    }
    for line in trained.product.lines { say(line) }
    say("  candidate \(trained.digest.hex.prefix(16))…, \(trained.bytes / 1024) KiB, in \(folder.path)/candidates")
  }

  /// A line of its own on a terminal; nothing elsewhere, for progress.json has it.
  private func show(_ progress: LearnProgress) -> Bool {
    if isTerminal {
      let percent = Int((progress.share * 100).rounded())
      write("\r\u{1B}[K\(progress.model)  \(progress.phase) \(percent) %  \(progress.text)", to: STDERR_FILENO)
    }
    return true
  }

  private func say(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

  func complain(_ fault: TrainingFault) {
    if isTerminal { write("\r\u{1B}[K", to: STDERR_FILENO) }
    write("error: \(fault.message) [\(fault.code)]\n  next  \(fault.remedy)\n", to: STDERR_FILENO)
  }

  static func exit(_ fault: TrainingFault) -> Int32 {
    switch fault.kind {
    case .io: 74
    case .packInvalid, .keyRefused, .noModels, .unknownModel: 78
    default: 65
    }
  }

  private func write(_ text: String, to file: Int32) {
    let bytes = Array(text.utf8)
    _ = unsafe Glibc.write(file, bytes, bytes.count)
  }
}

extension String {
  /// The first `count` characters.
  fileprivate func prefixed(_ count: Int) -> String { String(prefix(count)) }
}
