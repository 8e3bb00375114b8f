public import TwinCore

/// Values by day of the week and local time of day: tariffs, occupancy, setpoints.
public struct WeekSchedule: Sendable, Equatable {
  /// One stretch; `to` before `from` runs over midnight, and belongs to the day on which it began.
  public struct Window: Sendable, Equatable {
    /// Bit 0 is Monday.
    public var days: UInt8
    /// Seconds after local midnight, 0 to 86,400.
    public var from: Int
    public var to: Int
    public var value: Double

    public init(days: UInt8, from: Int, to: Int, value: Double) {
      (self.days, self.from, self.to, self.value) = (days, from, to, value)
    }

    func contains(_ date: CivilDate) -> Bool {
      let second = date.secondOfDay
      if from <= to { return isOn(date.weekday) && second >= from && second < to }
      let yesterday = date.weekday == 1 ? 7 : date.weekday - 1
      return (isOn(date.weekday) && second >= from) || (isOn(yesterday) && second < to)
    }

    private func isOn(_ weekday: Int) -> Bool { days & (1 << UInt8(weekday - 1)) != 0 }
  }

  /// Outside of every window.
  public var base: Double
  /// The first that contains the time counts.
  public var windows: [Window]

  public init(base: Double, windows: [Window]) { (self.base, self.windows) = (base, windows) }

  public func value(at date: CivilDate) -> Double { windows.first { $0.contains(date) }?.value ?? base }
}
