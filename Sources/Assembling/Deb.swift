internal import Content
internal import Model
internal import SystemPackage

/// The control part of a deb: what dpkg keeps of a package beside its files.
struct Deb: Sendable {
  /// A file of the control archive.
  struct ControlFile: Sendable {
    var name: String
    var content: [UInt8]
    var mode: UInt16
    var modified: Int64
  }

  let package: Lock.Package
  /// The deb, or its quick form; its bytes have been checked.
  let path: FilePath
  let control: Stanza
  /// All control files, sorted by name.
  let files: [ControlFile]
  /// What `conffiles` names, in its order, without those to be removed on an upgrade.
  let conffiles: [ImagePath]

  func file(_ name: String) -> [UInt8]? { files.first { $0.name == name }?.content }

  /// What dpkg's database calls it: `libc6:amd64` where several architectures can be installed side
  /// by side, else the name alone.
  var databaseName: String {
    control["Multi-Arch"] == "same"
      ? "\(package.name):\(control["Architecture"] ?? package.architecture)" : package.name
  }

  /// Reads the control part; the files of the package are not touched.
  ///
  /// - Parameter file: the deb, whose bytes have been checked.
  static func read(_ package: Lock.Package, from file: FilePath) throws -> Deb {
    var files: [ControlFile] = []
    try withPart("control", of: package, from: file) { archive in
      while let entry = try archive.next() {
        guard case .file = entry.kind else { continue }
        files.append(
          ControlFile(
            name: String(decoding: ImagePath(entry.path)?.bytes ?? [], as: UTF8.self),
            content: try archive.readAll(limit: 64 << 20), mode: entry.mode,
            modified: entry.modified))
      }
    }
    let name = package.name
    guard let control = files.first(where: { $0.name == "control" }),
      let stanzas = Stanza.parse(control.content), stanzas.count == 1
    else {
      throw PackageFailure.malformed(package: name, reason: "its control file is missing or faulty")
    }
    guard stanzas[0]["Package"] == name, stanzas[0]["Version"] == package.version else {
      let found = "\(stanzas[0]["Package"] ?? "") \(stanzas[0]["Version"] ?? "")"
      throw PackageFailure.malformed(
        package: name, reason: "it holds '\(found)', and not version '\(package.version)'")
    }
    for file in files where file.name.contains("/") || file.name.contains(".") {
      throw PackageFailure.malformed(package: name, reason: "it has a control file '\(file.name)'")
    }
    return Deb(
      package: package, path: file, control: stanzas[0], files: files.sorted { $0.name < $1.name },
      conffiles: try conffiles(in: files, of: name))
  }

  /// Opens a member of a deb, `control` or `data`, and hands its archive to `body`.
  ///
  /// What the archive reader throws becomes `.malformed`; all else passes.
  static func withPart(
    _ part: String, of package: Lock.Package, from file: FilePath,
    _ body: (inout ArchiveReader) throws -> Void
  ) throws {
    do {
      var deb = try ArchiveReader.open(file)
      guard let first = try deb.next(), first.path.elementsEqual("debian-binary".utf8),
        try deb.readAll(limit: 1024).starts(with: "2.".utf8)
      else { throw PackageFailure.malformed(package: package.name, reason: "it is not a deb") }
      while let member = try deb.next() {
        guard member.path.starts(with: "\(part).tar".utf8) else { continue }
        return try deb.withMember(body)
      }
    } catch let failure as ArchiveFailure {
      throw PackageFailure.malformed(package: package.name, reason: "\(failure)")
    }
    throw PackageFailure.malformed(package: package.name, reason: "it has no \(part) part")
  }

  private static func conffiles(
    in files: [ControlFile], of package: String
  ) throws(PackageFailure) -> [ImagePath] {
    guard let file = files.first(where: { $0.name == "conffiles" }) else { return [] }
    var paths: [ImagePath] = []
    for line in file.content.split(separator: UInt8(ascii: "\n")) {
      if line.starts(with: "remove-on-upgrade ".utf8) { continue }
      guard line.first == UInt8(ascii: "/"), let path = ImagePath(line) else {
        throw .malformed(
          package: package,
          reason: "its conffiles name '\(String(decoding: line, as: UTF8.self))'")
      }
      paths.append(path)
    }
    return paths
  }
}
