extension Double {
  /// To the nearest whole number, ties to even, by + and − alone: `rounded()` may call the C library on older
  /// processors.
  @inlinable @inline(__always) public var nearestInteger: Double {
    let shift = 4_503_599_627_370_496.0  // 2^52: beyond it every double is whole
    guard magnitude < shift else { return self }
    let whole = self < 0 ? (self - shift) + shift : (self + shift) - shift
    return whole == 0 ? (sign == .minus ? -0.0 : 0.0) : whole
  }
}
