import Foundation
import Model

@testable import Reading

let nowhere = SourcePosition(file: "", line: 0, column: 0)

/// A TOML value in the form in which others write theirs down, for comparison.
enum TaggedValue: Equatable {
  case table([String: TaggedValue])
  case array([TaggedValue])
  /// toml-test's name of the type, and the value as text that is equal when the value is.
  case plain(type: String, text: String)

  init(_ value: TOMLValue) {
    switch value.content {
    case .string(let text): self = .plain(type: "string", text: text)
    case .integer(let number, _): self = .plain(type: "integer", text: String(number))
    case .float(let number): self = .plain(type: "float", text: spelled(number))
    case .boolean(let flag): self = .plain(type: "bool", text: String(flag))
    case .dateTime(let time): self = .plain(type: tag(time.kind), text: trimmed(time.text))
    case .array(let values): self = .array(values.map(TaggedValue.init))
    case .table(let table):
      self = .table(
        Dictionary(uniqueKeysWithValues: table.entries.map { (escaped($0.key), .init($0.value)) }))
    }
  }

  /// Reads toml-test's JSON: `{"type": …, "value": …}` for plain values.
  init(json: Any) {
    if let values = json as? [Any] {
      self = .array(values.map(TaggedValue.init(json:)))
    } else if let table = json as? [String: Any] {
      if table.count == 2, let type = table["type"] as? String, let text = table["value"] as? String
      {
        let isTime = type.hasPrefix("date") || type.hasPrefix("time")
        let isFloat = type == "float"
        self = .plain(
          type: type,
          text: isTime ? trimmed(text) : isFloat ? spelled(Double(text) ?? .nan) : text)
      } else {
        self = .table(
          Dictionary(uniqueKeysWithValues: table.map { (escaped($0), .init(json: $1)) }))
      }
    } else {
      self = .plain(type: "unknown", text: "\(json)")
    }
  }
}

private func tag(_ kind: TOMLDateTime.Kind) -> String {
  switch kind {
  case .offset: "datetime"
  case .local: "datetime-local"
  case .date: "date-local"
  case .time: "time-local"
  }
}

private func spelled(_ number: Double) -> String { number.isNaN ? "nan" : String(number) }

/// Swift takes composed and decomposed text for equal; TOML's keys are not.
private func escaped(_ key: String) -> String {
  key.unicodeScalars.map { $0.escaped(asASCII: true) }.joined()
}

/// Without zeros at the end of a fraction, and with a blank offset as `Z`.
private func trimmed(_ time: String) -> String {
  var time = time.replacingOccurrences(of: "+00:00", with: "Z")
  if let match = time.firstRange(of: /\.[0-9]+/) {
    var fraction = String(time[match])
    while fraction.hasSuffix("0") { fraction.removeLast() }
    time.replaceSubrange(match, with: fraction == "." ? "" : fraction)
  }
  return time
}
