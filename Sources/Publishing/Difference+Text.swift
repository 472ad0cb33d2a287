extension Difference {
  /// The difference for people: a heading for each kind of thing, `+`, `-` or `~` before each name.
  ///
  /// - Parameter mostFiles: so many paths are named of each kind, and the others counted.
  public func text(mostFiles: Int = 20) -> String {
    var lines = ["\(image): \(from) → \(to)"]
    if isSameDisk { lines.append("the disks are the same bytes") }
    let causes = [isRecipeChanged ? "recipe" : nil, isLockChanged ? "lock" : nil].compactMap(\.self)
    lines.append(
      causes.isEmpty
        ? "recipe and lock are the same" : "changed: " + causes.joined(separator: " and "))
    if !recipeLines.removed.isEmpty || !recipeLines.added.isEmpty {
      lines.append("recipe.toml:")
      lines += recipeLines.removed.map { "  - \($0.line): \($0.text)" }
      lines += recipeLines.added.map { "  + \($0.line): \($0.text)" }
    }
    for (title, changes) in [
      ("packages", packages), ("CLIs", clis), ("agents", agents), ("units", units),
    ] where !changes.isEmpty {
      lines.append("\(title):")
      lines += changes.map { change in
        let cause = change.cause.map { "  (\($0))" } ?? ""
        return switch (change.from, change.to) {
        case (nil, let added?): "  + \(change.name) \(added)\(cause)"
        case (let removed?, nil): "  - \(change.name) \(removed)\(cause)"
        case (let old, let new): "  ~ \(change.name) \(old ?? "") → \(new ?? "")\(cause)"
        }
      }
    }
    if let files { lines += text(of: files, most: mostFiles) }
    lines.append("data: \(megabytes(allocatedFrom)) → \(megabytes(allocatedTo))")
    if let shipment {
      lines.append("to ship: \(shipment.chunks) chunks, \(megabytes(shipment.bytes))")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func text(of files: Files, most: Int) -> [String] {
    func some(_ lines: [String]) -> [String] {
      lines.count <= most
        ? lines : lines.prefix(most) + ["  … and \(lines.count - most) more"]
    }
    if files.added.isEmpty, files.removed.isEmpty, files.changed.isEmpty { return ["files: same"] }
    return [
      "files: \(files.added.count) added, \(files.removed.count) removed, "
        + "\(files.changed.count) changed:"
    ] + some(files.added.map { "  + /\($0)" }) + some(files.removed.map { "  - /\($0)" })
      + some(
        files.changed.map { file in
          let aspects = file.aspects.map { aspect in
            let values = aspect == .mode ? file.mode : aspect == .owner ? file.owner : nil
            return aspect.rawValue + (values.map { " \($0.from) → \($0.to)" } ?? "")
          }
          let cause = file.cause.map { "  (\($0))" } ?? ""
          return "  ~ /\(file.path): \(aspects.joined(separator: ", "))\(cause)"
        })
  }
}

/// Bytes in MiB with one decimal.
private func megabytes(_ bytes: Int) -> String {
  let tenths = (bytes * 10 + 1 << 19) >> 20
  return "\(tenths / 10).\(tenths % 10) MiB"
}
