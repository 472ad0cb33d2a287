internal import Imaging
internal import Model
internal import Support

/// Options of the small images that tests make.
func smallOptions(
  mebibytes: Int64 = 32, inodes: Int? = nil, jobs: Int = 2, identity: String = "test"
) -> ImageOptions {
  ImageOptions(
    size: mebibytes << 20, label: "test", identity: identity, epoch: 1_700_000_000,
    inodeCount: inodes, jobs: jobs)
}

/// A tree of these paths below a plain root.
func makeTree(_ nodes: [(path: String, node: Tree.Node)]) -> Tree {
  Tree(
    entries: [Tree.Entry(path: [], node: 0)]
      + nodes.enumerated().map { Tree.Entry(path: Array($1.path.utf8), node: $0 + 1) },
    nodes: [Tree.Node(kind: .directory, mode: 0o755)] + nodes.map(\.node))
}

func file(_ content: [UInt8], data: [Range<Int64>]? = nil, xattrs: [Tree.Xattr] = []) -> Tree.Node {
  Tree.Node(
    kind: .file(Tree.File(size: Int64(content.count), origin: .inline(content), data: data)),
    mode: 0o644, xattrs: xattrs)
}

func file(_ content: String, xattrs: [Tree.Xattr] = []) -> Tree.Node {
  file(Array(content.utf8), xattrs: xattrs)
}

func xattr(_ name: String, _ value: [UInt8]) -> Tree.Xattr {
  Tree.Xattr(name: Array(name.utf8), value: value)
}

/// An ACL of the owner, one more user, the group, a mask and others, as the kernel shows it.
func accessList(user: UInt32) -> [UInt8] {
  var bytes: [UInt8] = [2, 0, 0, 0]
  let entries: [(UInt8, UInt8, UInt32)] = [
    (1, 6, .max), (2, 7, user), (4, 4, .max), (16, 7, .max), (32, 0, .max),
  ]
  for (tag, rights, id) in entries {
    bytes += [tag, 0, rights, 0]
    for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: id >> shift)) }
  }
  return bytes
}

/// Makes trees of every kind of thing with attributes from the whole range, the same for a seed.
struct RandomTree {
  private var random: SplitMix64
  private var entries = [Tree.Entry(path: [], node: 0)]
  private var nodes = [Tree.Node]()
  private var folders: [[UInt8]] = [[]]
  private var taken: Set<[UInt8]> = [[]]

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  mutating func make(names: Int) -> Tree {
    nodes = [attributed(.directory)]
    for _ in 0..<names { addName() }
    return Tree(entries: entries, nodes: nodes)
  }

  private mutating func pick<Value>(_ values: [Value]) -> Value {
    values[Int.random(in: 0..<values.count, using: &random)]
  }

  private mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  private mutating func name() -> [UInt8] {
    let length = pick([1, 3, 8, 20, 20, 60, 255])
    let name = bytes(length).map { $0 == 0 || $0 == UInt8(ascii: "/") ? UInt8(ascii: "x") : $0 }
    return name.starts(with: [0x2E]) ? [UInt8(ascii: "y")] : name
  }

  private mutating func addName() {
    let folder = pick(folders)
    let path = folder.isEmpty ? name() : folder + [UInt8(ascii: "/")] + name()
    guard path.count < 3000, taken.insert(path).inserted else { return }
    let files = nodes.indices.filter { nodes[$0].kind != .directory }
    if Int.random(in: 0..<10, using: &random) == 0, !files.isEmpty {
      entries.append(Tree.Entry(path: path, node: pick(files)))
      return
    }
    let kind = kind()
    if kind == .directory { folders.append(path) }
    entries.append(Tree.Entry(path: path, node: nodes.count))
    nodes.append(attributed(kind))
  }

  private mutating func kind() -> Tree.Kind {
    switch Int.random(in: 0..<12, using: &random) {
    case 0...2: return .directory
    case 3:
      let length = pick([1, 59, 60, 61, 300, 4095])
      return .symlink(target: bytes(length).map { max($0, 1) })
    case 4: return .fifo
    case 5: return .socket
    case 6:
      return .characterDevice(major: pick([1, 255, 256, 4095]), minor: pick([0, 255, 1 << 19]))
    case 7: return .blockDevice(major: pick([8, 259]), minor: pick([1, 256, (1 << 20) - 1]))
    case 8: return .file(sparse())
    default:
      let size = pick([0, 1, 100, 4095, 4096, 4097, 20_000, 100_000])
      return .file(Tree.File(size: Int64(size), origin: .inline(bytes(size))))
    }
  }

  private mutating func sparse() -> Tree.File {
    let blocks = Int.random(in: 2...40, using: &random)
    let size = blocks * 4096 - Int.random(in: 0..<4096, using: &random)
    var content = [UInt8](repeating: 0, count: size)
    var ranges = [Range<Int64>]()
    for block in 0..<blocks where Bool.random(using: &random) {
      let range = (block * 4096)..<min((block + 1) * 4096, size)
      content.replaceSubrange(range, with: bytes(range.count))
      if let last = ranges.last, last.upperBound == range.lowerBound {
        ranges[ranges.count - 1] = last.lowerBound..<Int64(range.upperBound)
      } else {
        ranges.append(Int64(range.lowerBound)..<Int64(range.upperBound))
      }
    }
    return Tree.File(
      size: Int64(size), origin: .inline(content),
      data: ranges == [0..<Int64(size)] ? nil : ranges)
  }

  private mutating func attributed(_ kind: Tree.Kind) -> Tree.Node {
    var mode = UInt16.random(in: 0...0o7777, using: &random)
    var xattrs = [Tree.Xattr]()
    var canHaveUserXattrs = kind == .directory
    if case .file = kind { canHaveUserXattrs = true }
    if case .symlink = kind { mode = 0o777 }
    if canHaveUserXattrs, Bool.random(using: &random) {
      for index in 0..<Int.random(in: 1...4, using: &random) {
        xattrs.append(xattr("user.key\(index)", bytes(pick([0, 1, 5, 30, 200, 700]))))
      }
    }
    if canHaveUserXattrs, Int.random(in: 0..<4, using: &random) == 0 {
      // The group's bits of the mode are the mask of the ACL.
      mode = mode & ~0o777 | 0o670
      xattrs.append(
        xattr("system.posix_acl_access", accessList(user: pick([0, 1000, 70_000, 4_000_000_000]))))
    }
    if Int.random(in: 0..<4, using: &random) == 0 {
      xattrs.append(xattr("trusted.note", bytes(pick([1, 80]))))
    }
    let seconds = pick([0, 1, -1, Int64(Int32.min), 1_700_000_000, 2_147_483_648, 15_032_385_535])
    return Tree.Node(
      kind: kind, mode: mode, uid: pick([0, 1000, 65535, 65536, 4_000_000_000]),
      gid: pick([0, 100, 70_000]),
      modified: Tree.Time(
        seconds: seconds, nanoseconds: UInt32.random(in: 0...999_999_999, using: &random)),
      xattrs: xattrs.sorted { $0.name.lexicographicallyPrecedes($1.name) })
  }
}
