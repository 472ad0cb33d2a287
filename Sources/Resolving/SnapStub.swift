internal import Model

extension PackageIndex.Entry {
  /// Whether a stanza is that of a stand-in for a snap: it cannot be installed without `snapd`.
  ///
  /// Such a package is a few kilobytes of script that ask a service, which no image has while it is
  /// built, for a program, which then lies outside of the package.
  static func isSnapStub(_ fields: ControlParagraph) -> Bool {
    ["Pre-Depends", "Depends"].contains { field in
      (fields[field] ?? "").split(separator: ",").contains { clause in
        clause.split(separator: "|").allSatisfy {
          $0.trimmed.split(whereSeparator: { " :(".contains($0) }).first == "snapd"
        }
      }
    }
  }
}

extension PackageCatalog {
  /// A stand-in's fault, with the ways out.
  static func snapFault(
    _ name: String, _ version: String, for recipe: Recipe, at position: SourcePosition
  ) -> Diagnostic {
    let isBrowser = ["chromium", "chromium-browser"].contains(name)
    let way =
      isBrowser
      ? "take the browser with source = \"chrome-for-testing\" in [chromium]"
      : "take the program itself from an [[archive]] or another package"
    return Diagnostic(
      at: position,
      "'\(name)' \(version) is only a stand-in for a snap: it needs 'snapd', and the program is not in it",
      hint: way)
  }
}
