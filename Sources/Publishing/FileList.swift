public import Model

/// Every path of an image with what can differ: the document `files.txt`, which makes releases
/// comparable without opening their images.
///
/// A line each, sorted by path: kind, mode (octal), owner, group, size in bytes, sha256 of a file's
/// content or `-`, the path, and for a link its target, parted by tabs. In paths, bytes outside
/// printable ASCII, the space and `%` are written `%XX`.
public struct FileList: Sendable, Equatable {
  public struct Entry: Sendable, Equatable {
    /// `d`, `f`, `l`, `c`, `b`, `p` or `s`.
    public var kind: Character
    public var mode: Int
    public var uid: Int
    public var gid: Int
    public var size: Int
    public var content: ContentHash?
    /// Of a link: its target; of a device: its numbers.
    public var target: String?
  }

  public static let fileName = "files.txt"
  public static let role = "files"

  /// By path without a leading `/`, escaped; the root is empty.
  public var entries: [String: Entry]

  /// Lists a tree.
  ///
  /// - Parameter contents: the hash of each node's content; nil where there is none.
  public init(of tree: Tree, contents: [ContentHash?]) {
    entries = [:]
    for entry in tree.entries {
      let node = tree.nodes[entry.node]
      var item = Entry(
        kind: "d", mode: Int(node.mode), uid: Int(node.uid), gid: Int(node.gid), size: 0,
        content: contents[entry.node], target: nil)
      switch node.kind {
      case .directory: break
      case .file(let file): (item.kind, item.size) = ("f", Int(file.size))
      case .symlink(let target): (item.kind, item.target) = ("l", escaped(target))
      case .characterDevice(let major, let minor):
        (item.kind, item.target) = ("c", "\(major):\(minor)")
      case .blockDevice(let major, let minor):
        (item.kind, item.target) = ("b", "\(major):\(minor)")
      case .fifo: item.kind = "p"
      case .socket: item.kind = "s"
      }
      entries[escaped(entry.path)] = item
    }
  }

  /// Reads the document; nil when a line is not as it should be.
  public init?(text: String) {
    entries = [:]
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
      guard (7...8).contains(fields.count), let kind = fields[0].first, fields[0].count == 1,
        let mode = Int(fields[1], radix: 8), let uid = Int(fields[2]), let gid = Int(fields[3]),
        let size = Int(fields[4])
      else { return nil }
      entries[String(fields[6])] = Entry(
        kind: kind, mode: mode, uid: uid, gid: gid, size: size,
        content: ContentHash(hex: fields[5]), target: fields.count == 8 ? String(fields[7]) : nil)
    }
  }

  /// The document.
  public var text: String {
    var text = ""
    for (path, entry) in entries.sorted(by: { $0.key < $1.key }) {
      text += "\(entry.kind)\t\(String(entry.mode, radix: 8))\t\(entry.uid)\t\(entry.gid)\t"
      text += "\(entry.size)\t\(entry.content?.hex ?? "-")\t\(path)"
      text += (entry.target.map { "\t\($0)" } ?? "") + "\n"
    }
    return text
  }
}

private func escaped(_ bytes: [UInt8]) -> String {
  var text: [UInt8] = []
  for byte in bytes {
    if byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "%") {
      text.append(byte)
    } else {
      text += ((byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)).utf8
    }
  }
  return String(decoding: text, as: UTF8.self)
}

extension Staging {
  /// Adds the list of the image's files.
  public func add(_ files: FileList) throws(CatalogFailure) {
    try add(
      Array(files.text.utf8), as: FileList.fileName, role: FileList.role, mediaType: "text/plain")
  }
}
