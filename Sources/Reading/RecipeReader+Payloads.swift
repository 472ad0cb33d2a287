internal import Model

#if canImport(Glibc)
  internal import Glibc
#endif

// `[[archive]]` and `[[wheel]]`.
extension RecipeReader {
  func archive(_ fields: inout Fields) -> Recipe.Archive {
    var urls = fields.stringOrStrings("url", .url)
    if let source = fields.local("source", .file) {
      if let url = urls.first {
        fields.refuse(url.position, "an archive has either 'url' or 'source', not both")
      }
      urls = [Located(fileURL(source.value), at: source.position)]
    } else if urls.isEmpty, !fields.has("url"), !fields.has("source") {
      fields.missing("url")
    }
    let name = fields.string("name", .name)
    let hash = fields.string("sha256", .sha256)?.value
    let archive = Recipe.Archive(
      name: name?.value ?? lastPart(urls.first?.value ?? ""), urls: urls.map(\.value),
      sha256: hash.flatMap { ContentHash(hex: $0) },
      strip: fields.integer("strip", in: 0...64)?.value ?? 0,
      into: fields.required("into", .imageFolder).value,
      include: fields.strings("include", .memberPath).map(\.value),
      exclude: fields.strings("exclude", .memberPath).map(\.value), position: fields.position)
    if !archive.name.isEmpty {
      report.claim("archive", archive.name, at: name?.position ?? fields.position)
    }
    return archive
  }

  /// The last part of an address's path, without its query; the whole address when there is none.
  private func lastPart(_ url: String) -> String {
    let path = url.prefix { $0 != "?" && $0 != "#" }
    return path.split(separator: "/").last.map(String.init) ?? url
  }

  /// The address of a file of the host.
  private func fileURL(_ path: String) -> String {
    var absolute = path
    if !path.hasPrefix("/"), let folder = getcwd(nil, 0) {
      defer { free(folder) }
      absolute = String(cString: folder) + "/" + path
    }
    let digits = Array("0123456789ABCDEF")
    let isPlain = { (byte: UInt8) in byte.isBare || "/.+~".utf8.contains(byte) }
    return absolute.utf8.reduce(into: "file://") { url, byte in
      if isPlain(byte) {
        url.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        url += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
      }
    }
  }

  func wheel(_ fields: inout Fields) -> Recipe.Wheel {
    let package = fields.required("package", .wheel)
    let files = fields.pairs("files", key: .memberPath, value: .imageFolder)
    let links = fields.pairs("links", key: .imagePath, value: .linkTarget)
    if !fields.has("files") { fields.missing("files") }
    if !package.value.isEmpty {
      let name = String(package.value.prefix { $0 != "=" })
      report.claim("wheel", name, at: package.position)
    }
    for (source, target) in files {
      claimPath(target)
      if source.value.hasSuffix("/") != target.value.hasSuffix("/") {
        fields.refuse(
          target.position, "'\(source.value)' and '\(target.value)' must both be files or folders",
          hint: "a folder ends with '/'")
      }
    }
    for (link, _) in links { claimPath(link) }
    return Recipe.Wheel(
      package: package.value, files: dictionary(files), links: dictionary(links),
      position: fields.position)
  }

  private func dictionary(
    _ pairs: [(key: Located<String>, value: Located<String>)]
  ) -> [String: String] {
    Dictionary(pairs.map { ($0.key.value, $0.value.value) }) { _, last in last }
  }

  /// Takes a path of the image, which only one thing can have.
  func claimPath(_ path: Located<String>) {
    let name = path.value.hasSuffix("/") ? String(path.value.dropLast()) : path.value
    if !name.isEmpty { report.claim("path", name, at: path.position) }
  }
}
