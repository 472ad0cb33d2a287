internal import Model

// `[publish]`.
extension RecipeReader {
  /// Reads how a finished image becomes a release.
  var publish: Recipe.Publish {
    guard var fields = fields("publish") else { return Recipe.Publish() }
    let keep = fields.integer("keep", in: 1...10_000)
    let minAge = fields.string("min_age", .duration)?.value
    let expires = fields.string("expires", .duration)?.value
    let links = fields.stringOrStrings("link", .hostPath)
    for link in links where !link.value.hasPrefix("/") || link.value.hasSuffix("/") {
      fields.refuse(
        link.position, "'link' must be the absolute path of a file, not '\(link.value)'")
    }
    let key = fields.string("key", .hostPath)
    let isSigned = fields.boolean("signed")
    let isCompressed = fields.boolean("compress")
    fields.finish()
    return Recipe.Publish(
      keep: keep?.value, minAge: minAge.flatMap(secondsOfTime) ?? 0,
      expires: expires.flatMap(secondsOfTime),
      links: links.map(\.value), key: key.map { localPath($0.value, from: $0.position.file) },
      isSigned: isSigned ?? (key != nil), isCompressed: isCompressed ?? false)
  }
}
