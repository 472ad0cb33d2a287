public import Foundation
public import Testing

/// Compares text with the file `Tests/Fixtures/golden/<name>`; `GOLDEN_UPDATE=1` rewrites the file.
public func expectGolden(
  _ text: String, _ name: String, at location: SourceLocation = #_sourceLocation
) throws {
  let file = fixture("golden/\(name)")
  if ProcessInfo.processInfo.environment["GOLDEN_UPDATE"] == "1" {
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
    return
  }
  let expected = try String(contentsOf: file, encoding: .utf8)
  #expect(text == expected, sourceLocation: location)
}

/// A file of `Tests/Fixtures`.
public func fixture(_ name: String) -> URL {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/\(name)")
}
