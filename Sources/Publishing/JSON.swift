internal import FoundationEssentials
internal import SystemPackage

/// A value as the JSON that we write: sorted members, two spaces, a final newline.
public func json(_ value: some Encodable) throws -> [UInt8] {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
  return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
}

/// Reads JSON out of a file of the catalog.
func decode<Value: Decodable>(
  _ type: Value.Type, _ bytes: [UInt8], from path: FilePath
) throws(CatalogFailure) -> Value {
  do {
    return try JSONDecoder().decode(type, from: Data(bytes))
  } catch let error as DecodingError {
    throw .damaged(path, reason: explain(error))
  } catch {
    throw .damaged(path, reason: "\(error)")
  }
}

private func explain(_ error: DecodingError) -> String {
  func place(_ path: [any CodingKey]) -> String {
    path.isEmpty
      ? "the top"
      : "'\(path.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: "."))'"
  }
  return switch error {
  case .keyNotFound(let key, let context):
    "'\(key.stringValue)' is missing in \(place(context.codingPath))"
  case .typeMismatch(_, let context), .valueNotFound(_, let context):
    "\(place(context.codingPath)) has the wrong type"
  case .dataCorrupted(let context):
    context.codingPath.isEmpty
      ? "it is not JSON" : "\(place(context.codingPath)): \(context.debugDescription)"
  @unknown default: "\(error)"
  }
}
