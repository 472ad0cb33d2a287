internal import Model

/// A table whose keys are known and checked, but that no step carries out yet.
struct LaterTable {
  var name: String
  var isArray: Bool
  var check: @Sendable (inout Fields, RecipeReader) -> Void
}

/// What is refused with a word of its own; to carry one out, move its check to a reading function.
let laterTables = [
  LaterTable(name: "chromium", isArray: false) { fields, _ in
    _ = fields.string("source", .oneOf(["apt", "archive", "chrome-for-testing"]))
    _ = fields.string("version", .text)
    _ = fields.stringOrStrings("url", .url)
    _ = fields.string("sha256", .sha256)
    _ = fields.string("into", .imageFolder)
  }
]

extension RecipeReader {
  /// Checks the tables that nothing carries out yet, and refuses each once.
  func refuseLaterTables() {
    for later in laterTables {
      guard let entry = table[later.name] else { continue }
      var position = entry.position
      if later.isArray {
        _ = tables(later.name) { fields in later.check(&fields, self) }
        if case .array(let values) = entry.value.content, let first = values.first {
          position = first.position
        }
      } else if var fields = fields(later.name) {
        later.check(&fields, self)
        fields.finish()
      }
      let name = later.isArray ? "[[\(later.name)]]" : "[\(later.name)]"
      report.add(position, "'\(name)' is not supported yet")
    }
  }
}
