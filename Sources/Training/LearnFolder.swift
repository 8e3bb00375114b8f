// What daemon and learner hand each other, below the state directory in `learn/`, mode 0700:
//
//     learner.key       the learner's own key; the daemon makes it and pins its public half
//     request.json      what the daemon wants trained: {"id": N, "days": N, "models": [id, …], "reason": text}
//     answered          the id of the last request that was obeyed, in decimal
//     progress.json     how far the learner is, for people and screens
//     job.bin           what an interrupted training goes on from
//     candidates/       <digest>.candidate, see SealedCandidate.swift
//     taken/            those that went into a tick
//     refused/          those that did not, each with a <name>.reason
//
// Every file is whole or not there: written beside, flushed, renamed.

import Glibc
import Provenance
import Seams
import TwinCore

/// The folder in which a site's daemon and its learner meet.
public struct LearnFolder: Sendable {
  public static let candidates = "candidates"
  public static let taken = "taken"
  public static let refused = "refused"
  static let requestFile = "request.json"
  static let answeredFile = "answered"
  static let progressFile = "progress.json"
  static let jobFile = "job.bin"
  static let jobBytesMax = 8 << 20
  /// Of `taken` and of `refused` each, oldest first out.
  public static let keptMax = 8

  public let path: String

  public init(state: String) { path = state + "/learn" }

  public var requestPath: String { "\(path)/\(Self.requestFile)" }

  /// Makes it where it is missing.
  public func make() throws(TrainingFault) {
    for folder in [path] + [Self.candidates, Self.taken, Self.refused].map({ "\(path)/\($0)" }) {
      try io { () throws(ProvenanceFault) in try PrivateFile.makeDirectory(folder) }
    }
  }

  func write(_ bytes: [UInt8], _ name: String, in folder: String? = nil) throws(TrainingFault) {
    let directory = folder.map { "\(path)/\($0)" } ?? path
    try io { () throws(ProvenanceFault) in try PrivateFile.write(bytes, directory: directory, name: name) }
  }

  func bytes(_ name: String, max: Int) -> [UInt8]? { SystemFiles.bytes("\(path)/\(name)", max: max) }

  func remove(_ name: String) { _ = unsafe unlink("\(path)/\(name)") }

  /// Candidates that wait, by name.
  public func waiting() -> [String] {
    let names = (try? SystemFileStore().names(in: "\(path)/\(Self.candidates)")) ?? []
    return names.filter { $0.hasSuffix(SealedCandidate.suffix) && !$0.hasPrefix(".") }
  }

  /// The bytes of one that waits; nil where it cannot be read, is longer than one can be, or is no file: a pipe would
  /// never end.
  public func candidate(_ name: String) -> [UInt8]? {
    var status = stat()
    guard unsafe lstat("\(path)/\(Self.candidates)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      return nil
    }
    return bytes("\(Self.candidates)/\(name)", max: SealedCandidate.bytesMax)
  }

  /// Puts a trained model where the daemon looks.
  public func hand(_ name: String, _ bytes: [UInt8]) throws(TrainingFault) {
    try write(bytes, name, in: Self.candidates)
  }

  /// Moves one out of the way; `reason` stands beside it.
  public func put(_ name: String, into folder: String, reason: String? = nil) throws(TrainingFault) {
    if let reason { try write(Array((reason + "\n").utf8), name + ".reason", in: folder) }
    do throws(FileFault) {
      try SystemFileStore().rename("\(path)/\(Self.candidates)/\(name)", to: "\(path)/\(folder)/\(name)")
      try SystemFileStore().syncDirectory("\(path)/\(folder)")
    } catch {
      throw TrainingFault(.io, error.message, remedy: error.remedy)
    }
    thin(folder)
  }

  /// Oldest out first, by the time of the last change.
  private func thin(_ folder: String) {
    let directory = "\(path)/\(folder)"
    let names = ((try? SystemFileStore().names(in: directory)) ?? []).filter { $0.hasSuffix(SealedCandidate.suffix) }
    guard names.count > Self.keptMax else { return }
    let aged = names.map { (name: $0, age: Self.changed("\(directory)/\($0)")) }.sorted { $0.age < $1.age }
    for (name, _) in aged.dropLast(Self.keptMax) {
      for file in [name, name + ".reason"] { _ = unsafe unlink("\(directory)/\(file)") }
    }
  }

  private static func changed(_ file: String) -> Int64 {
    var status = stat()
    guard unsafe stat(file, &status) == 0 else { return 0 }
    return Int64(status.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_ctim.tv_nsec)
  }

  private func io(_ body: () throws(ProvenanceFault) -> Void) throws(TrainingFault) {
    do throws(ProvenanceFault) { try body() } catch {
      throw TrainingFault(.io, error.message, remedy: error.remedy)
    }
  }
}
