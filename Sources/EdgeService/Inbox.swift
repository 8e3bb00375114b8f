import SiteKernel
import Synchronization
import TwinCore

/// What waits for the next tick: frames from the buses, commands from people and actuators. Any thread puts in; the
/// control loop takes out.
///
/// Bounded: of frames the oldest go first, counted; commands are refused when full, for a person must hear of it.
final class Inbox: Sendable {
  struct Content: Sendable {
    var frames: [Frame] = []
    var commands: [Command] = []
    var dropped = 0
  }

  /// Ten minutes of a hundred groups at 1 Hz would be 60,000; a loop that is so late has other problems.
  static let framesMax = 8192
  static let commandsMax = 1024

  private let content = Mutex(Content())
  /// The groups that sent a frame since the start.
  private let heard = Mutex<Set<Int32>>([])
  private let wake: AsyncStream<Void>.Continuation
  /// One element when something arrived that brings a tick at once; never more than one waits.
  let wakes: AsyncStream<Void>

  init() { (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

  /// The first frame of each group brings a tick at once: a site that starts does not wait a period to know its plant.
  func put(_ frame: Frame, urgent: Bool = false) {
    let isFirst = heard.withLock { $0.insert(frame.group).inserted }
    content.withLock { content in
      content.frames.append(frame)
      if content.frames.count > Self.framesMax {
        content.frames.removeFirst(content.frames.count - Self.framesMax)
        content.dropped += 1
      }
    }
    if urgent || isFirst { wake.yield() }
  }

  /// False when too many commands wait already.
  @discardableResult
  func put(_ command: Command) -> Bool {
    let taken = content.withLock { content in
      guard content.commands.count < Self.commandsMax else { return false }
      content.commands.append(command)
      return true
    }
    wake.yield()
    return taken
  }

  /// Brings a tick although nothing arrived: the site's period is over.
  func ring() { wake.yield() }

  func take() -> Content {
    content.withLock { content in
      defer { content = Content() }
      return content
    }
  }

  var isEmpty: Bool { content.withLock { $0.frames.isEmpty && $0.commands.isEmpty } }

  /// Ends the loop that waits on `wakes`.
  func finish() { wake.finish() }
}
