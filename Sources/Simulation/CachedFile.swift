/// One file's bytes: as the process sees them through the page cache, and as the device has them.
///
/// After a cut each page that was written and not synced is, independently, old, new, or torn between its sectors, and
/// the size is one of those it had since the last sync; a page that the device never had reads as zeros. A sector is
/// never torn, and bytes beside those written keep what they were, unless `cut` is told to zero.
///
/// Invariant: the device's size is at most the cache's.
struct CachedFile {
  static let pageBytes = 4096
  static let sectorBytes = 512
  private static let sectorsInPage = pageBytes / sectorBytes
  private static let allSectors: UInt8 = 0xFF
  private static let sizesMax = 64
  private static let earlierMax = 3

  private(set) var bytes: [UInt8]
  private var device: [UInt8]
  /// By page: a bit for each sector written since it was last on the device.
  private var dirty: [Int: UInt8] = [:]
  /// Sizes since the last sync, beside the device's and the present one.
  private var sizes: [Int] = []
  /// What a cut before a truncation that is not synced may have left.
  private var earlier: [[UInt8]] = []

  init(_ bytes: [UInt8] = []) { (self.bytes, device) = (bytes, bytes) }

  var blocksBytes: Int { Self.blocksBytes(bytes.count) }

  static func blocksBytes(_ size: Int) -> Int { (size + pageBytes - 1) / pageBytes * pageBytes }

  mutating func write(_ source: UnsafeRawBufferPointer, at offset: Int) {
    let count = source.count
    guard count > 0 else { return }
    grow(to: offset + count)
    unsafe bytes.withUnsafeMutableBytes { unsafe $0[offset..<offset + count].copyBytes(from: source) }
    let (first, last) = (offset / Self.sectorBytes, (offset + count - 1) / Self.sectorBytes)
    for page in first / Self.sectorsInPage...last / Self.sectorsInPage {
      let low = max(first - page * Self.sectorsInPage, 0)
      let high = min(last - page * Self.sectorsInPage, Self.sectorsInPage - 1)
      dirty[page, default: 0] |= Self.allSectors << UInt8(low) & Self.allSectors >> UInt8(Self.sectorsInPage - 1 - high)
    }
  }

  mutating func truncate(to size: Int, _ random: inout SeededRandom) {
    guard size < bytes.count else { return grow(to: size) }
    let before = cut(zeroing: false, &random)
    if earlier.count < Self.earlierMax { earlier.append(before) } else { earlier[random.below(earlier.count)] = before }
    bytes.removeLast(bytes.count - size)
    device.removeLast(max(0, device.count - size))
    sizes = []
    dirty = dirty.filter { $0.key * Self.pageBytes < size }
  }

  private mutating func grow(to size: Int) {
    guard size > bytes.count else { return }
    if sizes.count < Self.sizesMax { sizes.append(bytes.count) }
    Self.extend(&bytes, by: size - bytes.count)
  }

  /// Gives the number of pages that went to the device.
  mutating func sync() -> Int {
    let pages = dirty.count
    extendDevice(to: bytes.count)
    for (page, sectors) in dirty { Self.copy(page, sectors, from: bytes, to: &device) }
    (dirty, sizes, earlier) = ([:], [], [])
    return pages
  }

  /// The device refused some pages: they count as clean from now on, and are gone when the cache lets go of them.
  mutating func failSync(_ random: inout SeededRandom) {
    let isForgotten = random.chance(0.25)
    if random.chance(0.5) { extendDevice(to: bytes.count) }
    for (page, sectors) in dirty.sorted(by: { $0.key < $1.key }) {
      if random.chance(0.5) {
        Self.copy(page, sectors, from: bytes, to: &device)
      } else if isForgotten {
        var old = Array(device.prefix((page + 1) * Self.pageBytes))
        Self.extend(&old, by: (page + 1) * Self.pageBytes - old.count)
        Self.copy(page, sectors, from: old, to: &bytes)
      }
    }
    dirty = [:]
  }

  /// The system writes one page when it likes to; gives the number of pages that went to the device.
  mutating func writeBack(_ random: inout SeededRandom) -> Int {
    let pages = dirty.keys.sorted()
    guard let page = pages.randomElement(using: &random), let sectors = dirty.removeValue(forKey: page) else {
      return 0
    }
    extendDevice(to: min((page + 1) * Self.pageBytes, bytes.count))
    Self.copy(page, sectors, from: bytes, to: &device)
    return 1
  }

  /// What the device has after a loss of power. `zeroing`: pages overwritten in place may also read as zeros.
  func cut(zeroing: Bool, _ random: inout SeededRandom) -> [UInt8] {
    if random.chance(0.5), let before = earlier.randomElement(using: &random) { return before }
    let fate = random.below(4)
    if fate == 0 { return device }
    var left = device
    let size = fate == 1 ? bytes.count : ([device.count, bytes.count] + sizes)[random.below(sizes.count + 2)]
    if size > left.count { Self.extend(&left, by: size - left.count) }
    for (page, sectors) in dirty.sorted(by: { $0.key < $1.key }) {
      let written = fate == 1 ? sectors : sectors & Self.torn(&random)
      Self.copy(page, written, from: bytes, to: &left)
      guard zeroing, fate > 1, random.chance(0.2) else { continue }
      for index in (page * Self.pageBytes..<(page + 1) * Self.pageBytes).clamped(to: 0..<left.count) { left[index] = 0 }
    }
    return left
  }

  /// Which sectors of a page the device took before the power went.
  private static func torn(_ random: inout SeededRandom) -> UInt8 {
    switch random.below(5) {
    case 0: 0
    case 1: allSectors
    case 2: allSectors << UInt8(1 + random.below(sectorsInPage - 1))
    case 3: allSectors >> UInt8(1 + random.below(sectorsInPage - 1))
    default: UInt8.random(in: .min ... .max, using: &random)
    }
  }

  private static func extend(_ bytes: inout [UInt8], by count: Int) {
    bytes.append(contentsOf: [UInt8](repeating: 0, count: count))
  }

  private mutating func extendDevice(to size: Int) {
    if size > device.count { Self.extend(&device, by: size - device.count) }
  }

  /// Copies the marked sectors of a page as far as both have them.
  private static func copy(_ page: Int, _ sectors: UInt8, from source: [UInt8], to target: inout [UInt8]) {
    let end = min(source.count, target.count)
    unsafe source.withUnsafeBytes { source in
      unsafe target.withUnsafeMutableBytes { target in
        for sector in 0..<sectorsInPage where sectors & 1 << UInt8(sector) != 0 {
          let start = page * pageBytes + sector * sectorBytes
          guard start < end else { return }
          let range = start..<min(start + sectorBytes, end)
          unsafe target[range].copyBytes(from: source[range])
        }
      }
    }
  }
}
