/// Everything that a file system holds: the names, and the things that they name.
///
/// Names are bytes. A thing with several names (hard links) is one node. A tree made of the same
/// names and things is the same value, in whatever order its source listed them.
public struct Tree: Sendable, Equatable {
  /// A name and what it names.
  public struct Entry: Sendable, Equatable {
    /// The path from the root without a leading `/`; the root itself is empty.
    public var path: [UInt8]
    /// The place of the node in `nodes`.
    public var node: Int

    public init(path: [UInt8], node: Int) {
      self.path = path
      self.node = node
    }
  }

  /// A file, folder, link, device, fifo or socket with its attributes.
  public struct Node: Sendable, Equatable {
    // In an order without gaps between them: trees have very many nodes.
    public var kind: Kind
    /// Sorted by name. ACLs are in the kernel's form (`system.posix_acl_access`).
    public var xattrs: [Xattr]
    public var modified: Time
    public var uid: UInt32
    public var gid: UInt32
    /// Permissions with set-user-id, set-group-id and sticky bits: 12 bits.
    public var mode: UInt16

    public init(
      kind: Kind, mode: UInt16, uid: UInt32 = 0, gid: UInt32 = 0, modified: Time = Time(seconds: 0),
      xattrs: [Xattr] = []
    ) {
      self.kind = kind
      self.mode = mode
      self.uid = uid
      self.gid = gid
      self.modified = modified
      self.xattrs = xattrs
    }
  }

  public enum Kind: Sendable, Equatable {
    case directory
    case file(File)
    case symlink(target: [UInt8])
    case characterDevice(major: UInt32, minor: UInt32)
    case blockDevice(major: UInt32, minor: UInt32)
    case fifo
    case socket
  }

  /// The content of a file: how long, where the bytes are, and which of them are holes.
  public struct File: Sendable, Equatable {
    /// Bytes, holes included.
    public var size: Int64
    public var origin: Origin
    /// The ranges that hold data, ascending and apart; nil when the file has no holes.
    public var data: [Range<Int64>]?

    public init(size: Int64, origin: Origin, data: [Range<Int64>]? = nil) {
      self.size = size
      self.origin = origin
      self.data = data
    }
  }

  /// Where a file's bytes are until the image is written.
  public enum Origin: Sendable, Equatable {
    case inline([UInt8])
    /// In a file below an open folder.
    case path([UInt8], in: OpenFile)
    /// In an open file, from an offset on.
    case part(of: OpenFile, offset: Int64)
  }

  /// Seconds since 1970 and the fraction, 0 to 999,999,999 nanoseconds.
  public struct Time: Sendable, Hashable {
    public var seconds: Int64
    public var nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32 = 0) {
      self.seconds = seconds
      self.nanoseconds = nanoseconds
    }
  }

  /// An extended attribute with its full name, such as `security.capability`.
  public struct Xattr: Sendable, Equatable {
    public var name: [UInt8]
    public var value: [UInt8]

    public init(name: [UInt8], value: [UInt8]) {
      self.name = name
      self.value = value
    }
  }

  /// Sorted as a walk meets them: each folder before what is in it, names in a folder by bytes. The
  /// first is the root.
  public private(set) var entries: [Entry]
  /// In the order in which `entries` first name them.
  public private(set) var nodes: [Node]

  /// Puts names and nodes into their order; a node without a name is left out.
  ///
  /// - Precondition: the paths are distinct, the root is among them, and the folder of every path is.
  public init(entries: consuming [Entry], nodes: consuming [Node]) {
    // What comes in order, as from a walk, is not copied: trees are large.
    if !isInWalkOrder(entries) { entries.sort { walkPrecedes($0.path, $1.path) } }
    if !isInOrderOfNames(entries, nodes.count) {
      var places = [Int](repeating: -1, count: nodes.count)
      var ordered: [Node] = []
      for index in entries.indices {
        let node = entries[index].node
        if places[node] < 0 {
          places[node] = ordered.count
          ordered.append(nodes[node])
        }
        entries[index].node = places[node]
      }
      nodes = ordered
    }
    self.entries = entries
    self.nodes = nodes
    precondition(self.entries.first?.path.isEmpty == true, "a tree has a root")
  }

  /// Adds a name and a node that has no other; returns the node's place.
  ///
  /// - Precondition: the path is not in the tree, and its folder is.
  public mutating func add(_ path: [UInt8], _ node: Node) -> Int {
    let place = entries.firstIndex { walkPrecedes(path, $0.path) } ?? entries.count
    let number = 1 + entries[..<place].reduce(-1) { max($0, $1.node) }
    for index in entries.indices where entries[index].node >= number { entries[index].node += 1 }
    entries.insert(Entry(path: path, node: number), at: place)
    nodes.insert(node, at: number)
    return number
  }
}

private func isInWalkOrder(_ entries: [Tree.Entry]) -> Bool {
  zip(entries, entries.dropFirst()).allSatisfy { walkPrecedes($0.path, $1.path) }
}

/// Whether entries name nodes for the first time in the order 0, 1, 2, …, all of them.
private func isInOrderOfNames(_ entries: [Tree.Entry], _ count: Int) -> Bool {
  var next = 0
  for entry in entries {
    if entry.node > next { return false }
    if entry.node == next { next += 1 }
  }
  return next == count
}

/// An open file or folder that the content of a tree is read from, closed with the last reference.
public final class OpenFile: Sendable, Equatable {
  public let descriptor: Int32
  /// What it is called in messages.
  public let name: String
  private let close: @Sendable (Int32) -> Void

  public init(
    _ descriptor: Int32, name: String, closing close: @escaping @Sendable (Int32) -> Void
  ) {
    self.descriptor = descriptor
    self.name = name
    self.close = close
  }

  public static func == (left: OpenFile, right: OpenFile) -> Bool { left === right }

  deinit { close(descriptor) }
}

/// Whether a walk meets one path before another: bytes decide, and `/` comes before every other.
public func walkPrecedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  let count = min(left.count, right.count)
  return left.withUnsafeBufferPointer { left in
    right.withUnsafeBufferPointer { right in
      for index in 0..<count where left[index] != right[index] {
        if left[index] == UInt8(ascii: "/") { return true }
        if right[index] == UInt8(ascii: "/") { return false }
        return left[index] < right[index]
      }
      return left.count < right.count
    }
  }
}
