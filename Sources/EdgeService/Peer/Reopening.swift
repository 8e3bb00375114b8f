import Synchronization

/// The wish to be opened again, once: by whoever took up something that counts from the next start on.
final class Reopening: Sendable {
  private let wish = Mutex(false)
  private let stream: AsyncStream<Void>
  private let put: AsyncStream<Void>.Continuation

  init() { (stream, put) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

  var isAsked: Bool { wish.withLock { $0 } }

  func ask() {
    wish.withLock { $0 = true }
    put.yield()
  }

  /// Returns when it was asked, or when the task is cancelled.
  func asked() async {
    for await _ in stream { return }
  }
}
