internal import CSQLite
internal import Synchronization

/// A failure of SQLite, in its own words.
struct DatabaseFailure: Error, CustomStringConvertible {
  var doing: String
  var reason: String
  var description: String { "cannot \(doing) the database: \(reason)" }
}

/// The controller's tables, in SQLite: what must outlive it.
final class Database: Sendable {
  /// A row's columns by name; NULL is absent.
  typealias Row = [String: String]

  private let handle: Mutex<OpaquePointer>

  init(_ path: String) throws {
    var opened: OpaquePointer?
    let code = sqlite3_open_v2(
      path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nil)
    guard code == SQLITE_OK, let opened else {
      throw DatabaseFailure(doing: "open", reason: String(cString: sqlite3_errstr(code)))
    }
    nonisolated(unsafe) let owned = opened
    handle = Mutex(owned)
    sqlite3_busy_timeout(owned, 5000)
    try run("PRAGMA journal_mode = WAL")
    try run("PRAGMA synchronous = FULL")
    try run(
      """
      CREATE TABLE IF NOT EXISTS auth_sessions (
        session_id TEXT PRIMARY KEY, provider TEXT NOT NULL, status TEXT NOT NULL,
        browser_vm_id TEXT, vm_ip TEXT, created_at TEXT NOT NULL, url TEXT, error TEXT,
        cli_vm_id TEXT)
      """)
    try run(
      """
      CREATE TABLE IF NOT EXISTS vms (
        id TEXT PRIMARY KEY, role TEXT NOT NULL, image TEXT NOT NULL, version TEXT NOT NULL,
        state TEXT NOT NULL, slot INTEGER NOT NULL UNIQUE, token TEXT NOT NULL,
        address TEXT NOT NULL, ip TEXT NOT NULL, created_at TEXT NOT NULL,
        claimed INTEGER NOT NULL DEFAULT 0)
      """)
  }

  deinit { handle.withLock { _ = sqlite3_close_v2($0) } }

  /// Runs one statement; `?` stand for the values in their order.
  ///
  /// - Returns: the rows that came out.
  @discardableResult
  func run(_ statement: String, _ values: String?...) throws -> [Row] {
    try handle.withLock { handle in
      func check(_ code: Int32, _ doing: String) throws {
        guard code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE else {
          throw DatabaseFailure(doing: doing, reason: String(cString: sqlite3_errmsg(handle)))
        }
      }
      var prepared: OpaquePointer?
      try check(sqlite3_prepare_v2(handle, statement, -1, &prepared, nil), "ask")
      defer { sqlite3_finalize(prepared) }
      for (index, value) in values.enumerated() {
        let place = Int32(index + 1)
        if let value {
          let length = Int32(value.utf8.count)
          try check(csqlite_bind_text(prepared, place, value, length), "ask")
        } else {
          try check(sqlite3_bind_null(prepared, place), "ask")
        }
      }
      var rows: [Row] = []
      while true {
        let code = sqlite3_step(prepared)
        try check(code, "change")
        if code == SQLITE_DONE { return rows }
        var row: Row = [:]
        for column in 0..<sqlite3_column_count(prepared) {
          guard let text = sqlite3_column_text(prepared, column),
            let name = sqlite3_column_name(prepared, column)
          else { continue }
          row[String(cString: name)] = String(cString: text)
        }
        rows.append(row)
      }
    }
  }
}
