import Guard
import Models
import SiteKernel
import StatusAPI
import TwinCore

extension StatusView {
  /// Tells whoever watches what a beat brought. On the control thread: never waits.
  static func publish(_ beat: ControlLoop.Beat, _ site: Commissioned, _ hub: EventHub) {
    let at = Timestamp(beat.instant)
    if hub.hasReaders {
      for frame in beat.frames where site.definition.groups.indices.contains(Int(frame.group)) {
        let points = site.definition.groups[Int(frame.group)].points
        for (column, point) in points.enumerated() where column < frame.values.count {
          let meta = site.definition.points[point.position]
          hub.publish(
            API.Event(
              kind: "value", at: Timestamp(frame.effective), point: meta.id,
              value: API.Quantity(frame.values[column], unit: meta.unit, quality: frame.qualities[column])))
        }
      }
    }
    for record in beat.records {
      hub.publish(
        API.Event(
          kind: "decision", at: at, point: record.point, ref: record.id.description,
          text: "\(record.disposition.name) \(NumberText.plain(record.value)) by \(record.actor)"))
    }
    for event in beat.alarms {
      let alarm = site.definition.alarms[Int(event.alarm)]
      hub.publish(API.Event(kind: "alarm", at: at, ref: alarm.id, text: "\(event.kind): \(alarm.action)"))
    }
    for event in beat.models {
      let model = site.definition.models[Int(event.model)]
      hub.publish(API.Event(kind: "model", at: at, ref: model.id, text: "\(event.kind.word): \(event.text)"))
    }
  }
}
