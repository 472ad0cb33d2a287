/// A path inside the image: any bytes but NUL, without a slash at either end, without empty parts,
/// `.` and `..`. The root is the empty path.
struct ImagePath: Hashable, Comparable, Sendable, CustomStringConvertible {
  var bytes: [UInt8]

  /// Reads a path as an archive or a control file names it, such as `./usr/bin/env` or `/etc/motd`.
  ///
  /// - Returns: nil when a part is `..` or a byte is NUL.
  init?(_ raw: some Collection<UInt8>) {
    var bytes = [UInt8]()
    bytes.reserveCapacity(raw.count)
    for part in raw.split(separator: UInt8(ascii: "/")) {
      if part.elementsEqual(".".utf8) { continue }
      if part.elementsEqual("..".utf8) || part.contains(0) { return nil }
      if !bytes.isEmpty { bytes.append(UInt8(ascii: "/")) }
      bytes.append(contentsOf: part)
    }
    self.bytes = bytes
  }

  init?(_ text: String) { self.init(text.utf8) }

  private init(adopting bytes: [UInt8]) { self.bytes = bytes }

  static let root = ImagePath(adopting: [])

  var isRoot: Bool { bytes.isEmpty }

  private var lastSlash: Int? { bytes.lastIndex(of: UInt8(ascii: "/")) }

  /// The folder that holds it; the root's is the root.
  var parent: ImagePath { ImagePath(adopting: lastSlash.map { Array(bytes[..<$0]) } ?? []) }

  /// The part after the last slash, as a C string.
  var cName: [CChar] {
    bytes[(lastSlash.map { $0 + 1 } ?? 0)...].map { CChar(bitPattern: $0) } + [0]
  }

  /// The whole path as a C string relative to the root; `.` for the root itself.
  var cPath: [CChar] {
    (isRoot ? [UInt8(ascii: ".")] : bytes).map { CChar(bitPattern: $0) } + [0]
  }

  /// The same path with `suffix` behind its name.
  func appending(suffix: String) -> ImagePath { ImagePath(adopting: bytes + suffix.utf8) }

  /// As dpkg's lists have it: `/etc/motd`, and `/.` for the root.
  var listed: [UInt8] { Array("/".utf8) + (isRoot ? Array(".".utf8) : bytes) }

  /// Whether it is `folder` or lies below it.
  func isWithin(_ folder: ImagePath) -> Bool {
    guard bytes.starts(with: folder.bytes) else { return false }
    return folder.isRoot || bytes.count == folder.bytes.count
      || bytes[folder.bytes.count] == UInt8(ascii: "/")
  }

  var description: String { "/" + String(decoding: bytes, as: UTF8.self) }

  static func < (left: ImagePath, right: ImagePath) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}

extension ImagePath {
  /// The folders of the top level that are links into `/usr` in a merged system, by architecture as
  /// debootstrap makes them.
  static func mergedFolders(architecture: String) -> [String] {
    let libraries =
      switch architecture {
      case "amd64", "x32": ["lib32", "lib64", "libx32"]
      case "i386": ["lib64", "libx32"]
      case "ppc64el": ["lib64"]
      case "s390x": ["lib32"]
      default: [String]()
      }
    return ["bin", "sbin", "lib"] + libraries
  }

  /// The path that this one means where the folders `merged` are links into `/usr`:
  /// `bin/sh` means `usr/bin/sh`.
  func unaliased(merged: Set<[UInt8]>) -> ImagePath {
    let end = bytes.firstIndex(of: UInt8(ascii: "/")) ?? bytes.endIndex
    guard merged.contains(Array(bytes[..<end])) else { return self }
    return ImagePath(adopting: Array("usr/".utf8) + bytes)
  }
}
