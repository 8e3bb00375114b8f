import Modbus
import Seams
import TwinCore

extension Bus {
  /// At start, the groups of a bus begin within this time of each other.
  private static let staggerMaxNanoseconds: Int64 = 1_000_000_000
  /// Replies after which the measured round trip decides over gaps.
  private static let roundTripsNeeded = 32

  /// Polls until the task is cancelled, then closes the connection; afterwards the bus refuses everything. Call once.
  public func run() async {
    schedule()
    while !Task.isCancelled {
      let now = clock.uptime
      if let group = mostUrgent(at: now) {
        await step(group)
      } else if let state = devices.first(where: { isCheckDue($0) }) {
        await checkHole(of: state)
      } else {
        await clock.sleep(until: groups.map(\.due).min() ?? .never)
      }
    }
    isEnded = true
    link.close()
    showLink()
  }

  private func schedule() {
    let now = clock.uptime
    for (index, group) in groups.enumerated() {
      let window = min(group.periodNanoseconds, Self.staggerMaxNanoseconds)
      group.due = now.advanced(byNanoseconds: window * Int64(index) / Int64(groups.count))
    }
  }

  /// The poll under way or due whose next period begins first.
  private func mostUrgent(at now: Uptime) -> GroupState? {
    var best: (group: GroupState, deadline: Uptime)?
    for group in groups {
      guard group.run != nil || group.due <= now else { continue }
      let deadline = group.run?.deadline ?? group.due.advanced(byNanoseconds: group.periodNanoseconds)
      if best.map({ deadline < $0.deadline }) ?? true { best = (group, deadline) }
    }
    return best?.group
  }

  /// One request of a poll.
  private func step(_ group: GroupState) async {
    if group.run == nil { begin(group) }
    guard let request = group.plan.next() else { return await finish(group) }
    guard let ticket = turnstile.enter(.poll) else {
      group.plan.failed(request)
      return await finish(group)
    }
    defer { turnstile.leave(ticket) }
    let state = group.device
    do throws(BusFault) {
      try await probeIfAsked(request, state, ticket)
      let reply = try await exchange(request.question, with: state, ticket: ticket)
      group.decoder.take(reply.span, of: request)
      group.plan.answered(request, holes: &state.holes, at: clock.instant)
    } catch {
      settle(request, of: group, error)
    }
  }

  /// A unit that was silent is asked for one value before it gets a whole block again.
  private func probeIfAsked(_ request: ReadRequest, _ state: DeviceState, _ ticket: Turnstile.Ticket)
    async throws(BusFault)
  {
    guard state.unit.breaker.permission(at: clock.uptime) == .probe, request.range.count > 1 else { return }
    let probe = ModbusRequest.read(request.table.wire, address: UInt16(request.range.lowerBound), count: 1)
    do throws(BusFault) {
      _ = try await exchange(probe, with: state, ticket: ticket)
    } catch {
      guard case .exception(let code) = error.kind, code != 10, code != 11 else { throw error }
    }
  }

  private func begin(_ group: GroupState) {
    let state = group.device
    let now = clock.uptime
    if state.holes.forgetLimit(at: clock.instant) { markStale(state) }
    if state.unit.roundTrips.count == Self.roundTripsNeeded { group.plan.isStale = true }
    if group.plan.isStale { cut(group) }
    group.run = GroupState.Run(
      deadline: group.due.advanced(byNanoseconds: group.periodNanoseconds), begun: clock.instant, begunUptime: now)
    group.plan.begin()
    group.decoder.begin()
  }

  private func cut(_ group: GroupState) {
    let state = group.device
    let trips = state.unit.roundTrips
    let measured = trips.count >= Self.roundTripsNeeded ? Int64(trips.mean) : nil
    let limit = max(1, min(state.device.registersPerRequestMax, state.holes.registersMax ?? 125, 125))
    group.plan.cut(
      registersMax: limit,
      gapMax: max(0, state.device.gapMergeMax ?? GapCost.registersMax(address, roundTripNanoseconds: measured)),
      holes: state.holes)
    let total = state.groups.reduce(0) { $0 + $1.plan.requests.count }
    board.update(state.index) { status in
      status.requestsPerCycle = total
      status.registersPerRequestMax = limit
      status.holes = state.holes.holes
    }
  }

  private func settle(_ request: ReadRequest, of group: GroupState, _ fault: BusFault) {
    let state = group.device
    switch fault.kind {
    case .exception(2), .exception(3):
      refuse(request, of: group)
    case .link(.wrongLength) where request.pieces.count > 1:
      refuse(request, of: group)
    case .exception(1):
      group.plan.exclude(request, &state.holes, clock.instant)
    case .exception(5), .exception(6), .exception(10), .exception(11), .silent, .linkDown, .busy, .cancelled,
      .link(.unreachable):
      group.plan.failed(request)
      group.plan.abandon()
    default:
      group.plan.failed(request)
    }
  }

  /// A search may take half a period beyond what the poll needs.
  private func refuse(_ request: ReadRequest, of group: GroupState) {
    let begun = group.run?.begunUptime ?? clock.uptime
    group.plan.refused(
      request, holes: &group.device.holes, at: clock.instant,
      mayGoOn: clock.uptime.nanoseconds(since: begun) < group.periodNanoseconds / 2)
  }

  private func finish(_ group: GroupState) async {
    guard let run = group.run else { return }
    group.run = nil
    let state = group.device
    if group.plan.finish() {
      state.nextCheck = state.holes.nextCheck?.at
      remember(state.device.id, state.holes.bytes)
      board.update(state.index) { $0.holes = state.holes.holes }
      for other in state.groups where other !== group { other.plan.isStale = true }
    }
    let now = clock.uptime
    let skipped = advance(group, to: now)
    guard !Task.isCancelled else { return }
    let (values, qualities) = group.decoder.decode(isExcluded: group.plan.isExcluded)
    let span = now.nanoseconds(since: run.begunUptime)
    let frame = Frame(
      group: group.group.number, effective: run.begun.advanced(byNanoseconds: span / 2),
      observed: run.begun.advanced(byNanoseconds: span), uptime: now, values: values, qualities: qualities)
    let texts = group.decoder.readTexts()
    let isGood = qualities.contains(.good)
    board.update(state.index) { status in
      status.frames += 1
      status.pollsSkipped += skipped
      if isGood { status.lastGood = frame.effective }
      for (name, text) in texts { status.texts[name] = text }
    }
    deliver(frame)
    // Lets callers in whose tickets stand behind those of polls.
    await Task.yield()
  }

  /// Sets the next time, in step with the first; periods that passed meanwhile are left out.
  private func advance(_ group: GroupState, to now: Uptime) -> Int {
    let late = max(0, now.nanoseconds(since: group.due))
    let periods = max(1, (late + group.periodNanoseconds - 1) / group.periodNanoseconds)
    group.due = group.due.advanced(byNanoseconds: periods * group.periodNanoseconds)
    return Int(periods - 1)
  }

  private func markStale(_ state: DeviceState) {
    for group in state.groups { group.plan.isStale = true }
  }

  private func isCheckDue(_ state: DeviceState) -> Bool {
    guard let next = state.nextCheck, next <= clock.instant else { return false }
    if case .closed = state.unit.breaker.state {
      return clock.uptime >= state.unit.busyUntil && clock.uptime >= backoff.retryAt
    }
    return false
  }

  /// Asks again for registers that were illegal a week ago.
  private func checkHole(of state: DeviceState) async {
    guard let hole = state.holes.nextCheck?.hole, let ticket = turnstile.enter(.probe) else {
      return await Task.yield()
    }
    defer { turnstile.leave(ticket) }
    let range =
      hole.range.lowerBound..<min(hole.range.upperBound, hole.range.lowerBound + (hole.table.isBits ? 2000 : 125))
    do throws(BusFault) {
      _ = try await exchange(
        ReadRequest(table: hole.table, range: range, pieces: [], split: nil).question, with: state, ticket: ticket)
      state.holes.fill(hole)
      markStale(state)
    } catch {
      guard case .exception(let code) = error.kind, (1...3).contains(code) else {
        state.nextCheck = clock.instant.advanced(byNanoseconds: HoleMap.firstCheckNanoseconds)
        return
      }
      state.holes.confirm(hole, at: clock.instant)
    }
    state.nextCheck = state.holes.nextCheck?.at
    remember(state.device.id, state.holes.bytes)
    board.update(state.index) { $0.holes = state.holes.holes }
  }
}
