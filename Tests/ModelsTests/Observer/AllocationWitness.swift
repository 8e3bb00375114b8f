import Glibc

/// Tells whether a piece of work took memory from `malloc`, be it for a moment.
///
/// Puts blocks that hold a pattern into the thread's own cache of small ones (glibc's tcache: the last freed is the
/// first given), and looks afterwards whether it gives them again and with the pattern: whoever had one wrote to it, or
/// has it still. Sees blocks of up to `bytesMax`, so the work must be over something small.
enum AllocationWitness {
  static let bytesMax = 1000
  private static let pattern: UInt8 = 0xA5
  /// Blocks of each size that lie in wait.
  private static let waiting = 3
  private static let attempts = 100

  /// Nil where the cache cannot be brought to a known state; then the work was not done.
  static func sees(_ work: () -> Void) -> Bool? {
    let count = bytesMax / 16 * waiting
    let traps = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: count)
    let given = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: count)
    defer {
      unsafe traps.deallocate()
      unsafe given.deallocate()
    }
    // Twice: what this function itself allocates once in its life is allocated then. Plain loops, for an unoptimised
    // one over a collection may allocate too.
    for round in 0..<2 {
      var index = 0
      while index < count {
        guard unsafe set(traps + index, bytes(index)) else { return nil }
        index += waiting
      }
      if round == 1 { work() }
      index = 0
      while index < count {
        unsafe given[index] = malloc(bytes(index))
        index += 1
      }
      index = 0
      while round == 0 && index < count {
        unsafe free(given[index])
        index += 1
      }
    }
    var isTouched = false
    for index in 0..<count {
      guard let block = unsafe given[index] else { return nil }
      // Another block than the one put there means that somebody still has that one.
      if unsafe block != traps[index] { isTouched = true }
      // The cache's own links are in the first 16.
      for place in 16..<bytes(index) where unsafe block.load(fromByteOffset: place, as: UInt8.self) != pattern {
        isTouched = true
      }
    }
    for index in 0..<count { unsafe free(given[index]) }
    return isTouched
  }

  /// Of the block at that place.
  private static func bytes(_ index: Int) -> Int { 24 + index / waiting * 16 }

  /// Takes what the cache has of one size until it takes back what is freed, in the order that it should.
  private static func set(_ traps: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ bytes: Int) -> Bool {
    var attempt = 0
    while attempt < attempts {
      attempt += 1
      unsafe (traps[0], traps[1], traps[2]) = (malloc(bytes), malloc(bytes), malloc(bytes))
      unsafe free(traps[2])
      unsafe free(traps[1])
      unsafe free(traps[0])
      let (a, b, c) = unsafe (malloc(bytes), malloc(bytes), malloc(bytes))
      guard let a = unsafe a, let b = unsafe b, let c = unsafe c else { return false }
      guard unsafe a == traps[0] && b == traps[1] && c == traps[2] else { continue }
      unsafe memset(a, Int32(pattern), bytes)
      unsafe memset(b, Int32(pattern), bytes)
      unsafe memset(c, Int32(pattern), bytes)
      unsafe free(c)
      unsafe free(b)
      unsafe free(a)
      return true
    }
    return false
  }
}
