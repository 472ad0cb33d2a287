internal import Content
internal import Model
internal import SystemPackage

/// Reads a recipe's file and those that it extends, and merges them.
///
/// What a file extends comes first, in the order of the list, then the file itself: tables merge,
/// arrays append, else the later value wins. A file that is reached twice counts once.
struct Extending {
  private static let maximumBytes = 4 << 20

  private let report: Report
  /// The files that are being read, each extended by the one before it.
  private var chain: [String] = []
  private var done: Set<String> = []

  init(report: Report) { self.report = report }

  /// - Parameter place: where the file is named; nil for the recipe itself.
  mutating func read(_ file: String, namedAt place: SourcePosition? = nil) -> TOMLTable {
    let start = place ?? SourcePosition(file: file, line: 1, column: 1)
    if let first = chain.firstIndex(of: file) {
      let cycle = (chain[first...] + [file]).joined(separator: " → ")
      report.add(start, "'extends' goes in a circle: \(cycle)")
      return TOMLTable()
    }
    guard done.insert(file).inserted else { return TOMLTable() }
    report.began(file)
    let bytes: [UInt8]
    do {
      bytes = try content(of: file)
    } catch {
      let what = place == nil ? "the recipe" : "'\(file)'"
      report.add(unreadable: [Diagnostic(at: start, "cannot read \(what): \(error)")])
      return TOMLTable()
    }
    let document = parseTOML(bytes, file: file)
    report.add(unreadable: document.faults)
    checkSchema(of: document.table, isRequired: place == nil, at: start)

    chain.append(file)
    defer { chain.removeLast() }
    var merged = TOMLTable()
    for base in bases(of: document.table) {
      merged.merge(read(localPath(base.value, from: file), namedAt: base.position))
    }
    merged.merge(document.table)
    return merged
  }

  private func content(of file: String) throws -> [UInt8] {
    let source = try FileDescriptor.open(FilePath(file), .readOnly, options: .closeOnExec)
    return try source.closeAfter {
      var bytes: [UInt8] = []
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
      defer { buffer.deallocate() }
      while true {
        let count = try source.read(into: buffer)
        if count == 0 { return bytes }
        bytes += buffer[..<count]
        guard bytes.count <= Self.maximumBytes else { throw Errno.fileTooLarge }
      }
    }
  }

  private func checkSchema(of table: TOMLTable, isRequired: Bool, at start: SourcePosition) {
    guard let entry = table["schema"] else {
      if isRequired {
        report.missing(start, "missing key 'schema'", hint: "a recipe begins with 'schema = 1'")
      }
      return
    }
    guard case .integer(let schema, _) = entry.value.content, schema == 1 else {
      report.add(entry.value.position, "'schema' must be 1: this program knows no other")
      return
    }
  }

  private func bases(of table: TOMLTable) -> [Located<String>] {
    guard let entry = table["extends"] else { return [] }
    guard case .array(let values) = entry.value.content else {
      report.add(entry.value.position, "'extends' must be an array, not \(entry.value.type)")
      return []
    }
    return values.compactMap { value in
      guard case .string(let path) = value.content else {
        report.add(value.position, "'extends' must hold strings, not \(value.type)")
        return nil
      }
      if path.contains("${") {
        report.add(value.position, "'extends' cannot use variables")
        return nil
      }
      return Located(path, at: value.position)
    }
  }
}

extension TOMLTable {
  /// Lays a later table over this one.
  mutating func merge(_ later: TOMLTable) {
    for var entry in later.entries {
      if let mine = self[entry.key] {
        switch (mine.value.content, entry.value.content) {
        case (.table(var table), .table(let added)):
          table.merge(added)
          entry.value.content = .table(table)
        case (.array(let values), .array(let added)):
          entry.value.content = .array(values + added)
        default: break
        }
      }
      set(entry)
    }
  }
}
