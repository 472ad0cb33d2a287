internal import SystemPackage

/// What the dynamic loader reads of a program or a library: for whom it is, and what it needs.
///
/// Source: System V ABI, "Object Files" and "Dynamic Linking"; the GNU versions are those of the LSB's
/// "Symbol Versioning". Only 64-bit, little endian.
struct ELF: Sendable, Equatable {
  /// A set of symbols that a library must have.
  struct Need: Sendable, Hashable {
    var library: String
    /// Such as `GLIBC_2.34`.
    var version: String
  }

  var machine: UInt16
  /// The loader; nil for libraries and for programs that need none.
  var loader: String?
  /// Names of libraries, as they stand.
  var needed: [String] = []
  /// Folders to look in, as they stand.
  var rpath: [String] = []
  var runpath: [String] = []
  /// Without those that are weak.
  var needs: [Need] = []
  /// The versions that a library has.
  var versions: Set<String> = []

  static let magic: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]

  /// Reads a file.
  ///
  /// - Returns: nil when the file is none for a machine of 64 bits, little endian.
  /// - Throws: `ELFFault` when what it says of itself cannot be, `Errno`.
  init?(_ file: FileDescriptor) throws {
    let source = ELFSource(file)
    let header = try source.bytes(at: 0, count: 64, orLess: true)
    guard header.count == 64, header.starts(with: Self.magic), header[4] == 2, header[5] == 1
    else { return nil }
    machine = UInt16(header.number(at: 18, size: 2))
    let segments = try source.segments(
      at: header.number(at: 32, size: 8), size: header.number(at: 54, size: 2),
      count: header.number(at: 56, size: 2))
    if let segment = segments.first(where: { $0.kind == 3 }) {
      loader = try source.bytes(at: segment.offset, count: min(segment.size, 4096)).text(at: 0)
    }
    guard let segment = segments.first(where: { $0.kind == 2 }) else { return }
    try readDynamic(
      try source.bytes(at: segment.offset, count: min(segment.size, 1 << 20)), segments, source)
  }

  /// Reads the table of a dynamic program, whose entries are pairs of a tag and a value.
  private mutating func readDynamic(
    _ table: [UInt8], _ segments: [ELFSource.Segment], _ source: ELFSource
  ) throws {
    var values: [Int: Int] = [:]
    var names: [(tag: Int, offset: Int)] = []
    for start in stride(from: 0, to: table.count - 15, by: 16) {
      let (tag, value) = (table.number(at: start, size: 8), table.number(at: start + 8, size: 8))
      if tag == 0 { break }
      if [1, 15, 29].contains(tag) { names.append((tag, value)) }
      values[tag] = value
    }
    guard let address = values[5] else { return }
    let texts = try source.bytes(
      at: try offset(of: address, segments), count: min(values[10] ?? 0, 64 << 20))
    for (tag, offset) in names {
      let text = texts.text(at: offset)
      switch tag {
      case 1: needed.append(text)
      case 15: rpath = text.split(separator: ":").map(String.init)
      default: runpath = text.split(separator: ":").map(String.init)
      }
    }
    // DT_VERNEED and DT_VERNEEDNUM, DT_VERDEF and DT_VERDEFNUM.
    if let address = values[0x6FFF_FFFE] {
      try readNeeds(
        at: try offset(of: address, segments), count: values[0x6FFF_FFFF] ?? 0, texts, source)
    }
    if let address = values[0x6FFF_FFFC] {
      try readVersions(
        at: try offset(of: address, segments), count: values[0x6FFF_FFFD] ?? 0, texts, source)
    }
  }

  /// A record for each library, each with a chain of the versions that are wanted of it.
  private mutating func readNeeds(
    at start: Int, count: Int, _ texts: [UInt8], _ source: ELFSource
  ) throws {
    var place = start
    for _ in 0..<min(count, 4096) {
      let record = try source.bytes(at: place, count: 16)
      let library = texts.text(at: record.number(at: 4, size: 4))
      var inner = place + record.number(at: 8, size: 4)
      for _ in 0..<record.number(at: 2, size: 2) {
        let version = try source.bytes(at: inner, count: 16)
        // A weak version may be missing.
        if version.number(at: 4, size: 2) & 2 == 0 {
          needs.append(
            Need(library: library, version: texts.text(at: version.number(at: 8, size: 4))))
        }
        let next = version.number(at: 12, size: 4)
        if next == 0 { break }
        inner += next
      }
      let next = record.number(at: 12, size: 4)
      if next == 0 { break }
      place += next
    }
  }

  private mutating func readVersions(
    at start: Int, count: Int, _ texts: [UInt8], _ source: ELFSource
  ) throws {
    var place = start
    for _ in 0..<min(count, 4096) {
      let record = try source.bytes(at: place, count: 20)
      let name = try source.bytes(at: place + record.number(at: 12, size: 4), count: 8)
      versions.insert(texts.text(at: name.number(at: 0, size: 4)))
      let next = record.number(at: 16, size: 4)
      if next == 0 { break }
      place += next
    }
  }

  /// Where in the file an address of memory lies.
  private func offset(of address: Int, _ segments: [ELFSource.Segment]) throws -> Int {
    for segment in segments where segment.kind == 1 {
      if address >= segment.address, address - segment.address < segment.size {
        return segment.offset + (address - segment.address)
      }
    }
    throw ELFFault(description: "its tables lie outside of it")
  }
}

/// An ELF file that contradicts itself.
struct ELFFault: Error, Equatable, CustomStringConvertible {
  var description: String
}

/// A file to read pieces of.
private struct ELFSource {
  struct Segment {
    var kind: Int
    var offset: Int
    var address: Int
    var size: Int
  }

  private let file: FileDescriptor

  init(_ file: FileDescriptor) { self.file = file }

  func bytes(at offset: Int, count: Int, orLess: Bool = false) throws -> [UInt8] {
    guard offset >= 0, count >= 0 else {
      throw ELFFault(description: "its tables lie outside of it")
    }
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let read = try bytes.withUnsafeMutableBytes { buffer in
        try file.read(
          fromAbsoluteOffset: Int64(offset + done),
          into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
      }
      if read == 0 { break }
      done += read
    }
    guard done == count || orLess else { throw ELFFault(description: "it is cut off") }
    return Array(bytes.prefix(done))
  }

  func segments(at offset: Int, size: Int, count: Int) throws -> [Segment] {
    guard size >= 56, count <= 4096 else { return [] }
    let table = try bytes(at: offset, count: size * count)
    return (0..<count).map { index in
      let start = index * size
      return Segment(
        kind: table.number(at: start, size: 4), offset: table.number(at: start + 8, size: 8),
        address: table.number(at: start + 16, size: 8), size: table.number(at: start + 32, size: 8))
    }
  }
}

extension [UInt8] {
  /// A number, its lowest byte first; -1 for one that is no offset anyway.
  fileprivate func number(at start: Int, size: Int) -> Int {
    var value: UInt64 = 0
    for index in (0..<size).reversed() { value = value << 8 | UInt64(self[start + index]) }
    return Int(exactly: value) ?? -1
  }

  /// The text that begins at an offset and ends with a zero byte.
  fileprivate func text(at start: Int) -> String {
    guard start >= 0, start < count else { return "" }
    return String(decoding: self[start...].prefix { $0 != 0 }, as: UTF8.self)
  }
}
