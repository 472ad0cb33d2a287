internal import Model

/// One part of a key, and where it stands.
struct TOMLKey {
  var name: String
  var position: SourcePosition
}

/// A table while its document is being read: knows how it came to be, and so what may be added.
///
/// The rules are TOML 1.0's: a table is defined once, by one header or by dotted keys within one
/// section; a table in braces is a value like any other, complete where it stands.
final class TOMLTableNode {
  enum Origin {
    /// Named on the way to another table; a header or dotted keys may still define it.
    case implicit
    case header
    /// Made by a dotted key in the section of this table.
    case dotted(ObjectIdentifier)
  }

  private enum Child {
    case table(TOMLTableNode)
    case tables(TOMLTableList)
    case value(TOMLValue)
  }

  private struct Entry {
    var key: TOMLKey
    var child: Child
  }

  private var origin: Origin
  private var entries: [Entry] = []
  private var places: [[UInt8]: Int] = [:]
  /// How many tables it is in.
  let depth: Int

  init(_ origin: Origin, depth: Int) {
    self.origin = origin
    self.depth = depth
  }

  private func entry(_ key: TOMLKey) -> Entry? {
    places[Array(key.name.utf8)].map { entries[$0] }
  }

  private func insert(_ key: TOMLKey, _ child: Child) {
    places[Array(key.name.utf8)] = entries.count
    entries.append(Entry(key: key, child: child))
  }

  private func makeTable(_ key: TOMLKey, _ origin: Origin) throws(Diagnostic) -> TOMLTableNode {
    guard depth < TOMLParser.maximumDepth else { throw tooDeep(key.position) }
    let table = TOMLTableNode(origin, depth: depth + 1)
    insert(key, .table(table))
    return table
  }

  /// The table that a header names; `self` is the document's root.
  func open(_ path: [TOMLKey], isArray: Bool) throws(Diagnostic) -> TOMLTableNode {
    var table = self
    for key in path.dropLast() { table = try table.step(key) }
    let key = path[path.count - 1]
    guard let entry = table.entry(key) else {
      guard isArray else { return try table.makeTable(key, .header) }
      let list = TOMLTableList()
      table.insert(key, .tables(list))
      return try list.append(depth: table.depth, at: key.position)
    }
    switch entry.child {
    case .tables(let list) where isArray:
      return try list.append(depth: table.depth, at: key.position)
    case .table(let found) where !isArray && found.isImplicit:
      found.origin = .header
      return found
    case .table where !isArray:
      throw Diagnostic(
        at: key.position, "table '\(key.name)' is defined already",
        hint: "the first stands in line \(entry.key.position.line)")
    default:
      throw conflict(key, entry)
    }
  }

  /// One step of a header towards its table.
  private func step(_ key: TOMLKey) throws(Diagnostic) -> TOMLTableNode {
    guard let entry = entry(key) else { return try makeTable(key, .implicit) }
    switch entry.child {
    case .table(let table): return table
    case .tables(let list): return list.last
    case .value: throw conflict(key, entry)
    }
  }

  /// The table that holds the last part of a dotted key, with those between made as needed.
  func descend(_ path: [TOMLKey]) throws(Diagnostic) -> TOMLTableNode {
    let section = ObjectIdentifier(self)
    var table = self
    for key in path.dropLast() {
      guard let entry = table.entry(key) else {
        table = try table.makeTable(key, .dotted(section))
        continue
      }
      guard case .table(let found) = entry.child, found.join(section) else {
        throw conflict(key, entry)
      }
      table = found
    }
    return table
  }

  /// Whether dotted keys of a section may add to this table.
  private func join(_ section: ObjectIdentifier) -> Bool {
    switch origin {
    case .implicit:
      origin = .dotted(section)
      return true
    case .dotted(let mine): return mine == section
    case .header: return false
    }
  }

  func add(_ key: TOMLKey, _ value: TOMLValue) throws(Diagnostic) {
    if let entry = entry(key) { throw conflict(key, entry) }
    insert(key, .value(value))
  }

  private var isImplicit: Bool {
    if case .implicit = origin { true } else { false }
  }

  private func conflict(_ key: TOMLKey, _ entry: Entry) -> Diagnostic {
    Diagnostic(
      at: key.position, "key '\(key.name)' is defined already",
      hint: "the first stands in line \(entry.key.position.line)")
  }

  /// What was read, as a value.
  var table: TOMLTable {
    var table = TOMLTable()
    for entry in entries {
      let position = entry.key.position
      let value =
        switch entry.child {
        case .value(let value): value
        case .table(let node): TOMLValue(content: .table(node.table), position: position)
        case .tables(let list): TOMLValue(content: .array(list.values), position: position)
        }
      table.set(TOMLTable.Entry(key: entry.key.name, position: position, value: value))
    }
    return table
  }
}

/// The tables that headers of one name in double brackets make.
final class TOMLTableList {
  private var tables: [(table: TOMLTableNode, position: SourcePosition)] = []

  /// - Precondition: `append` was called.
  var last: TOMLTableNode { tables[tables.count - 1].table }

  func append(depth: Int, at position: SourcePosition) throws(Diagnostic) -> TOMLTableNode {
    guard depth < TOMLParser.maximumDepth else { throw tooDeep(position) }
    let table = TOMLTableNode(.header, depth: depth + 1)
    tables.append((table, position))
    return table
  }

  var values: [TOMLValue] {
    tables.map { TOMLValue(content: .table($0.table.table), position: $0.position) }
  }
}

func tooDeep(_ position: SourcePosition) -> Diagnostic {
  Diagnostic(at: position, "values nest deeper than \(TOMLParser.maximumDepth) levels")
}
