import CLinux
import Glibc

/// One thread that runs one actor's jobs in order: for a C library that blocks.
///
/// A blocking call on the cooperative pool delays every other task; on a thread of its own it delays nobody.
@safe public final class ThreadExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
  // @unchecked: `jobs` and `stopped` are touched only under `mutex`.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let ready = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var jobs: [UnownedJob] = []
  private var head = 0
  private var stopped = false
  public let name: String

  /// Starts the thread; `name` is shown by `ps -L`, at most 15 characters.
  public init(name: String) {
    self.name = name
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(ready, nil)
    var thread = pthread_t()
    let box = unsafe Unmanaged.passRetained(self)
    let result = unsafe pthread_create(
      &thread, nil,
      { raw in
        let executor = unsafe Unmanaged<ThreadExecutor>.fromOpaque(raw!).takeRetainedValue()
        executor.run()
        return nil
      }, box.toOpaque())
    precondition(result == 0, "cannot start thread \(name): errno \(result)")
    unsafe clinux_thread_name(thread, name)
    pthread_detach(thread)
  }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    unsafe pthread_mutex_lock(mutex)
    jobs.append(job)
    unsafe pthread_cond_signal(ready)
    unsafe pthread_mutex_unlock(mutex)
  }

  /// Ends the thread once the jobs already queued have run. Nothing may be enqueued afterwards.
  public func stop() {
    unsafe pthread_mutex_lock(mutex)
    stopped = true
    unsafe pthread_cond_signal(ready)
    unsafe pthread_mutex_unlock(mutex)
  }

  private func run() {
    while let job = next() {
      unsafe job.runSynchronously(
        isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    }
  }

  private func next() -> UnownedJob? {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while head == jobs.count {
      if stopped { return nil }
      unsafe pthread_cond_wait(ready, mutex)
    }
    let job = jobs[head]
    head += 1
    if head == jobs.count {
      jobs.removeAll(keepingCapacity: true)
      head = 0
    }
    return job
  }
}
