internal import Model

// `[chromium]`.
extension RecipeReader {
  /// Reads the browser, and its archive where it comes as one; nil when the recipe has none.
  func chromium() -> (browser: Recipe.Chromium, archive: Recipe.Archive?)? {
    guard var fields = fields("chromium") else { return nil }
    let name = fields.required("source", .oneOf(Recipe.Chromium.Source.allCases.map(\.rawValue)))
    let source = Recipe.Chromium.Source(rawValue: name.value) ?? .apt
    var browser = Recipe.Chromium(
      source: source, version: fields.string("version", .text), position: fields.position)
    defer { fields.finish() }
    guard source != .apt else {
      for key in ["url", "sha256", "into", "strip", "program"] where fields.has(key) {
        guard let entry = fields.take(key) else { continue }
        fields.refuse(entry.position, "'\(key)' is for an archive, and 'source' is '\(name.value)'")
      }
      return (browser, nil)
    }
    let into = fields.string("into", .imageFolder)?.value ?? browser.into
    browser.into = into.hasSuffix("/") ? String(into.dropLast()) : into
    browser.program = fields.string("program", .memberPath)?.value ?? browser.program
    let urls = fields.stringOrStrings("url", .url)
    if urls.isEmpty, !fields.has("url") { fields.missing("url") }
    let hash = fields.string("sha256", .sha256)?.value
    let archive = Recipe.Archive(
      name: Recipe.Chromium.archive, urls: urls.map(\.value),
      sha256: hash.flatMap { ContentHash(hex: $0) },
      strip: fields.integer("strip", in: 0...64)?.value ?? 1, into: browser.into,
      position: fields.position)
    report.claim("archive", archive.name, at: fields.position)
    claimPath(Located(Recipe.Chromium.path, at: fields.position))
    return (browser, archive)
  }
}
