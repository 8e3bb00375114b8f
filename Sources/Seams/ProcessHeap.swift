import CLinux

/// The heap of the process as a whole: a gateway has little memory, and shares it.
public enum ProcessHeap {
  /// Two arenas for all threads, and free pages at the top given back early. Before other threads allocate.
  public static func keepSmall() { clinux_small_heap() }

  /// Gives free pages back to the kernel: after work that took more memory than what follows it.
  public static func trim() { clinux_trim_heap() }
}
