import CLinux

/// The memory of the process as a whole: a gateway has little, and shares it.
public enum ProcessMemory {
  /// Two arenas for all threads, and free pages at the top given back early. Before other threads allocate.
  public static func keepSmall() { clinux_small_heap() }

  /// Gives free pages back to the kernel: after work that took more memory than what follows it.
  public static func trim() { clinux_trim_heap() }

  /// Leaves the pages of text that only a start needed: what runs on comes back from the page cache, some hundred minor
  /// faults in all.
  public static func leaveText() { clinux_release_text() }
}
