import TwinCore

/// Numbers for sentences: as many digits as say something, no more.
enum NumberText {
  /// Up to four digits after the point, none that are zero at the end; large and tiny ones with an exponent.
  static func plain(_ value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "no number" : value < 0 ? "−∞" : "∞" }
    let size = value.magnitude
    guard size < 1e9, size >= 1e-4 || size == 0 else { return "\(value)" }
    let digits = size >= 1000 ? 1 : size >= 10 ? 2 : 4
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int64((size * scale).nearestInteger)
    let (whole, part) = (scaled / Int64(scale), scaled % Int64(scale))
    let sign = value < 0 && scaled != 0 ? "-" : ""
    guard part != 0 else { return "\(sign)\(whole)" }
    var fraction = String(part)
    fraction = String(repeating: "0", count: digits - fraction.count) + fraction
    while fraction.last == "0" { fraction.removeLast() }
    return "\(sign)\(whole).\(fraction)"
  }

  /// With its sign.
  static func signed(_ value: Double) -> String { (value < 0 ? "" : "+") + plain(value) }
}
