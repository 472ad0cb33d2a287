internal import CArchive
internal import Model
public import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// An archive being read, front to back: tar with all its extensions, zip, or ar; plain or
/// compressed with gzip, xz, zstd or bzip2, which is found out from the bytes.
///
///     var reader = try ArchiveReader.open("node.tar.xz")
///     while let entry = try reader.next() {
///       try reader.forEachBlock { offset, bytes in … }
///     }
///
/// Content that is not asked for is passed over. A member that is an archive itself (`data.tar.xz`
/// of a deb) is read with `withMember`.
///
/// libarchive converts pax names from UTF-8 to the locale, and in a UTF-8 locale composes them to
/// NFC, so that two files could become one. Its calls therefore run in the "C" locale, where a name
/// that is not ASCII fails to convert and is handed out as it stands. Its zip reader hands out
/// nothing then: a zip is read in "C.UTF-8".
public struct ArchiveReader: ~Copyable {
  private let handle: OpaquePointer
  private let source: ArchiveSource
  private let locale: locale_t?
  private var member: String?
  private var size: Int64?

  /// Whether a tar ended with its end marker, after the last member; without one it may be cut off.
  public private(set) var hasEndMarker = true

  /// What the archive is called in messages.
  public var name: String { source.name }

  private init(adopting handle: OpaquePointer, source: ArchiveSource, locale: locale_t?) {
    self.handle = handle
    self.source = source
    self.locale = locale
  }

  /// Opens an archive file.
  ///
  /// - Throws: `ArchiveFailure`; an error in reading the file passes as it is.
  public static func open(_ path: FilePath) throws -> ArchiveReader {
    let file: FileDescriptor
    do {
      file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
    } catch {
      throw ArchiveFailure.cannotOpen(archive: path.string, reason: "\(error)")
    }
    return try open(FileSource(file, name: path.string, isOwner: true))
  }

  /// Reads an archive from where an open file or a pipe stands; the caller closes the descriptor,
  /// after the reader is gone.
  public static func open(
    _ file: FileDescriptor, name: String
  ) throws -> ArchiveReader {
    try open(FileSource(file, name: name, isOwner: false))
  }

  /// Reads an archive that `read` delivers in pieces.
  ///
  /// - Parameter read: fills the front of the buffer and returns the number of bytes, 0 at the end.
  ///   What it throws comes out of the reader's function that wanted the bytes.
  public static func open(
    name: String, reading read: @escaping (UnsafeMutableRawBufferPointer) throws -> Int
  ) throws -> ArchiveReader {
    try open(ClosureSource(name: name, read))
  }

  /// Reads what `read` delivers without its compression, as one member without a name.
  public static func openPlain(
    name: String, reading read: @escaping (UnsafeMutableRawBufferPointer) throws -> Int
  ) throws -> ArchiveReader {
    var reader = try open(ClosureSource(name: name, read), isRaw: true)
    guard try reader.next() != nil else {
      throw ArchiveFailure.unreadable(archive: name, member: nil, reason: "it is empty")
    }
    return reader
  }

  private static func open(_ source: ArchiveSource, isRaw: Bool = false) throws -> ArchiveReader {
    guard let handle = archive_read_new() else {
      throw ArchiveFailure.cannotOpen(archive: source.name, reason: "out of memory")
    }
    let isZip = source.startsAsZip
    let reader = ArchiveReader(
      adopting: handle, source: source,
      locale: newlocale(carchive_all_locale_categories, isZip ? "C.UTF-8" : "C", nil))
    if isZip {
      try reader.checkOpening(archive_read_support_format_zip(handle))
    } else {
      if isRaw {
        try reader.checkOpening(archive_read_support_format_raw(handle))
      } else {
        try reader.checkOpening(archive_read_support_format_tar(handle))
        try reader.checkOpening(archive_read_support_format_ar(handle))
      }
      for filter in [
        archive_read_support_filter_gzip, archive_read_support_filter_xz,
        archive_read_support_filter_zstd, archive_read_support_filter_bzip2,
      ] {
        try reader.checkOpening(filter(handle))
      }
    }
    try reader.checkOpening(source.attach(to: handle))
    let locale = reader.locale
    try reader.checkOpening(inLocale(locale) { archive_read_open1(handle) })
    return reader
  }

  /// Goes to the next member; nil after the last.
  ///
  /// - Throws: `ArchiveFailure`, or what the source of the bytes throws.
  public mutating func next() throws -> ArchiveEntry? {
    let handle = handle
    if member != nil {
      try check(inLocale(locale) { archive_read_data_skip(handle) })
      member = nil
    }
    let end = archive_filter_bytes(handle, 0)
    var header: OpaquePointer?
    let code = inLocale(locale) { archive_read_next_header(handle, &header) }
    if code == ARCHIVE_EOF {
      // The library passes over the marker without a word about it.
      if isTar { hasEndMarker = archive_filter_bytes(handle, 0) > end }
      return nil
    }
    if code == ARCHIVE_WARN, let header, isOnlyAboutLocale(reason) {
      return try describe(header)
    }
    if code == ARCHIVE_WARN, let header {
      let path = archive_entry_pathname(header).map { String(cString: $0) } ?? "?"
      throw ArchiveFailure.lossy(archive: name, member: path, reason: reason)
    }
    try check(code)
    guard let header else { return nil }
    return try describe(header)
  }

  /// Whether this is a tar without compression, whose members can be read at their `dataOffset`;
  /// known once a member was read.
  public var isPlainTar: Bool {
    archive_filter_code(handle, 0) == ARCHIVE_FILTER_NONE && isTar
  }

  private var isTar: Bool {
    archive_format(handle) & ARCHIVE_FORMAT_BASE_MASK == ARCHIVE_FORMAT_TAR
  }

  /// Reads on in the member's content, holes as zeros; returns the number of bytes, 0 at its end.
  public mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let (handle, locale) = (handle, locale)
    let count = inLocale(locale) { archive_read_data(handle, buffer.baseAddress, buffer.count) }
    guard count >= 0 else {
      try check(CInt(truncatingIfNeeded: count))
      return 0
    }
    return count
  }

  /// Reads the rest of the member's content into memory.
  ///
  /// - Parameter limit: more bytes than this are an error.
  public mutating func readAll(limit: Int) throws -> [UInt8] {
    var content = [UInt8]()
    let (name, member) = (name, member)
    try forEachBlock { offset, bytes in
      guard Int(offset) + bytes.count <= limit else {
        throw ArchiveFailure.unreadable(
          archive: name, member: member, reason: "it is larger than \(limit) bytes")
      }
      content.append(contentsOf: repeatElement(0, count: Int(offset) - content.count))
      content.append(contentsOf: bytes)
    }
    // A hole at the end.
    if let size, size > content.count, size <= limit {
      content.append(contentsOf: repeatElement(0, count: Int(size) - content.count))
    }
    return content
  }

  /// Hands out the member's content in order, without copying; holes are left out.
  ///
  /// - Parameter body: gets the block's offset in the file and its bytes, valid during the call.
  public mutating func forEachBlock(
    _ body: (_ offset: Int64, _ bytes: UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let (handle, locale) = (handle, locale)
    while true {
      var (start, count, offset): (UnsafeRawPointer?, Int, Int64) = (nil, 0, 0)
      let code = inLocale(locale) { archive_read_data_block(handle, &start, &count, &offset) }
      if code == ARCHIVE_EOF { return }
      try check(code)
      if count > 0 { try body(offset, UnsafeRawBufferPointer(start: start, count: count)) }
    }
  }

  /// Reads the member's content as an archive of its own.
  public mutating func withMember<Result>(
    _ body: (inout ArchiveReader) throws -> Result
  ) throws -> Result {
    var inner = try ArchiveReader.open(memberSource)
    return try body(&inner)
  }

  /// Reads the member's content without its compression, as one file with no name.
  public mutating func withPlainMember<Result>(
    _ body: (inout ArchiveReader) throws -> Result
  ) throws -> Result {
    var inner = try ArchiveReader.open(memberSource, isRaw: true)
    guard try inner.next() != nil else {
      throw ArchiveFailure.unreadable(archive: name, member: member, reason: "it is empty")
    }
    return try body(&inner)
  }

  /// The bytes of the member.
  private var memberSource: ArchiveSource {
    let (handle, locale) = (handle, locale)
    return ClosureSource(name: "\(name):\(member ?? "")") { [source] buffer in
      let count = inLocale(locale) { archive_read_data(handle, buffer.baseAddress, buffer.count) }
      guard count >= 0 else {
        if let failure = source.failure { throw failure }
        throw ArchiveFailure.unreadable(
          archive: source.name, member: nil, reason: failureText(of: handle))
      }
      return count
    }
  }

  private mutating func describe(_ header: OpaquePointer) throws -> ArchiveEntry {
    guard let path = bytes(archive_entry_pathname(header)) else {
      throw ArchiveFailure.unreadable(
        archive: name, member: nil, reason: "a member has no readable name")
    }
    let shown = String(decoding: path, as: UTF8.self)
    member = shown
    do {
      let entry = try ArchiveEntry(
        header, path: path, dataOffset: archive_filter_bytes(handle, 0))
      size = entry.size
      return entry
    } catch {
      throw ArchiveFailure.lossy(archive: name, member: shown, reason: error.reason)
    }
  }

  private var reason: String { failureText(of: handle) }

  private func check(_ code: CInt) throws {
    guard code != ARCHIVE_OK else { return }
    if let failure = source.failure { throw failure }
    throw ArchiveFailure.unreadable(archive: name, member: member, reason: reason)
  }

  private func checkOpening(_ code: CInt) throws {
    guard code != ARCHIVE_OK else { return }
    if let failure = source.failure { throw failure }
    throw ArchiveFailure.cannotOpen(archive: name, reason: reason)
  }

  deinit {
    archive_read_free(handle)
    if let locale { freelocale(locale) }
  }
}

/// Runs `body` with this thread's locale set.
private func inLocale<Result>(_ locale: locale_t?, _ body: () -> Result) -> Result {
  guard let locale else { return body() }
  let before = uselocale(locale)
  defer { uselocale(before) }
  return body()
}

/// Whether a warning only says that a name is not ASCII; the name is then handed out raw.
private func isOnlyAboutLocale(_ reason: String) -> Bool {
  reason.contains("can't be converted from") && reason.contains("to current locale")
}

private func failureText(of handle: OpaquePointer) -> String {
  archive_error_string(handle).map { String(cString: $0) } ?? "the archive is damaged"
}

private func bytes(_ text: UnsafePointer<CChar>?) -> [UInt8]? {
  text.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
}

// MARK: - How the library gets its bytes

extension ArchiveSource {
  fileprivate func attach(to handle: OpaquePointer) -> CInt {
    // Not retained: the reader owns the source and frees the handle before it.
    archive_read_set_callback_data(handle, Unmanaged.passUnretained(self).toOpaque())
    archive_read_set_read_callback(handle) { _, context, start in
      guard let source = ArchiveSource.of(context) else { return -1 }
      do {
        let count = try source.read(into: source.buffer)
        start?.pointee = UnsafeRawPointer(source.buffer.baseAddress)
        return count
      } catch {
        source.failure = error
        return -1
      }
    }
    guard canSeek else { return ARCHIVE_OK }
    archive_read_set_seek_callback(handle) { _, context, offset, origin in
      ArchiveSource.of(context)?.seek(offset, from: origin) ?? Int64(ARCHIVE_FATAL)
    }
    return archive_read_set_skip_callback(handle) { _, context, distance in
      guard let source = ArchiveSource.of(context), let now = source.seek(0, from: SEEK_CUR),
        let end = source.seek(0, from: SEEK_END)
      else { return 0 }
      // Never past the end, where a cut-off archive would look complete.
      let target = min(now + distance, end)
      return (source.seek(target, from: SEEK_SET) ?? now) - now
    }
  }

  fileprivate static func of(_ context: UnsafeMutableRawPointer?) -> ArchiveSource? {
    context.map { Unmanaged<ArchiveSource>.fromOpaque($0).takeUnretainedValue() }
  }
}

// MARK: - From the library's entry to ours

private struct Unrepresentable: Error { var reason: String }

extension ArchiveEntry {
  /// Copies all of a member's header.
  fileprivate init(
    _ header: OpaquePointer, path: [UInt8], dataOffset: Int64
  ) throws(Unrepresentable) {
    self.path = path
    self.dataOffset = dataOffset
    kind = try Kind(header)
    mode = UInt16(archive_entry_perm(header) & 0o7777)
    (uid, gid) = (
      try identifier(archive_entry_uid(header), "user"),
      try identifier(archive_entry_gid(header), "group")
    )
    modified = Int64(archive_entry_mtime(header))
    modifiedNanoseconds = UInt32(clamping: archive_entry_mtime_nsec(header))
    if modified < 0, modifiedNanoseconds > 0 {
      // Only pax has such times, as decimal fractions; libarchive hands out -2.3 as -2 and 0.3.
      modified -= 1
      modifiedNanoseconds = 1_000_000_000 - modifiedNanoseconds
    }
    size = archive_entry_size_is_set(header) == 0 ? nil : archive_entry_size(header)
    xattrs = attributes(header)
    for (type, attribute) in [
      (ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access"),
      (ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default"),
    ] {
      guard let list = try accessList(header, type) else { continue }
      xattrs.removeAll { $0.name == Array(attribute.utf8) }
      xattrs.append(Xattr(name: Array(attribute.utf8), value: list.bytes))
      // The library has put the owning group's rights into the mode, where the mask belongs.
      if type == ARCHIVE_ENTRY_ACL_TYPE_ACCESS, let mask = list.mask {
        mode = mode & ~0o070 | mask << 3
      }
    }
    xattrs.sort { $0.name.lexicographicallyPrecedes($1.name) }
    sparse = ranges(header)
  }
}

extension ArchiveEntry.Kind {
  fileprivate init(_ header: OpaquePointer) throws(Unrepresentable) {
    if let target = bytes(archive_entry_hardlink(header)) {
      self = .hardlink(target: target)
      return
    }
    let (major, minor) = (
      UInt32(truncatingIfNeeded: archive_entry_rdevmajor(header)),
      UInt32(truncatingIfNeeded: archive_entry_rdevminor(header))
    )
    switch archive_entry_filetype(header) {
    case S_IFREG, 0: self = .file
    case S_IFDIR: self = .directory
    case S_IFLNK:
      guard let target = bytes(archive_entry_symlink(header)) else {
        throw Unrepresentable(reason: "a symbolic link without a readable target")
      }
      self = .symlink(target: target)
    case S_IFCHR: self = .characterDevice(major: major, minor: minor)
    case S_IFBLK: self = .blockDevice(major: major, minor: minor)
    case S_IFIFO: self = .fifo
    case S_IFSOCK: self = .socket
    case let other: throw Unrepresentable(reason: "its type \(other) is unknown")
    }
  }
}

private func identifier(_ value: Int64, _ what: String) throws(Unrepresentable) -> UInt32 {
  guard let identifier = UInt32(exactly: value) else {
    throw Unrepresentable(reason: "its \(what) number \(value) is out of range")
  }
  return identifier
}

private func attributes(_ header: OpaquePointer) -> [ArchiveEntry.Xattr] {
  var list = [ArchiveEntry.Xattr]()
  archive_entry_xattr_reset(header)
  while true {
    var (name, value, size): (UnsafePointer<CChar>?, UnsafeRawPointer?, Int) = (nil, nil, 0)
    guard archive_entry_xattr_next(header, &name, &value, &size) == ARCHIVE_OK,
      let name = bytes(name)
    else { return list }
    // The same attribute can stand in a header twice, in two encodings; the later one counts.
    list.removeAll { $0.name == name }
    list.append(
      ArchiveEntry.Xattr(
        name: name, value: Array(UnsafeRawBufferPointer(start: value, count: size))))
  }
}

private func ranges(_ header: OpaquePointer) -> [ArchiveEntry.DataRange]? {
  guard archive_entry_sparse_reset(header) > 0 else { return nil }
  var list = [ArchiveEntry.DataRange]()
  var (offset, length): (Int64, Int64) = (0, 0)
  while archive_entry_sparse_next(header, &offset, &length) == ARCHIVE_OK {
    if length > 0 { list.append(ArchiveEntry.DataRange(offset: offset, length: length)) }
  }
  return list
}

/// An ACL in the form that the kernel's `system.posix_acl_…` attributes have, and its mask.
///
/// Layout: version 2 as a 32-bit number, then per entry tag and rights (16 bits each) and the id (32
/// bits), little-endian, in the order of tags, then ids. Source: linux/posix_acl_xattr.h.
private func accessList(
  _ header: OpaquePointer, _ type: CInt
) throws(Unrepresentable) -> (bytes: [UInt8], mask: UInt16?)? {
  if archive_entry_acl_types(header) & carchive_nfs4_acl != 0 {
    throw Unrepresentable(reason: "it has an NFSv4 ACL")
  }
  guard archive_entry_acl_reset(header, type) > 0 else { return nil }
  var entries = [(tag: UInt16, rights: UInt16, id: UInt32)]()
  while true {
    var (kind, rights, tag, id): (CInt, CInt, CInt, CInt) = (0, 0, 0, 0)
    var name: UnsafePointer<CChar>?
    guard archive_entry_acl_next(header, type, &kind, &rights, &tag, &id, &name) == ARCHIVE_OK
    else { break }
    let number: UInt16
    var isNamed = false
    switch tag {
    case ARCHIVE_ENTRY_ACL_USER_OBJ: number = 0x01
    case ARCHIVE_ENTRY_ACL_USER: (number, isNamed) = (0x02, true)
    case ARCHIVE_ENTRY_ACL_GROUP_OBJ: number = 0x04
    case ARCHIVE_ENTRY_ACL_GROUP: (number, isNamed) = (0x08, true)
    case ARCHIVE_ENTRY_ACL_MASK: number = 0x10
    case ARCHIVE_ENTRY_ACL_OTHER: number = 0x20
    default: throw Unrepresentable(reason: "its ACL has an entry of unknown type \(tag)")
    }
    if isNamed, id < 0 {
      let name = name.map { String(cString: $0) } ?? "?"
      throw Unrepresentable(
        reason: "its ACL names '\(name)' without a number; archive it with --numeric-owner")
    }
    entries.append((number, UInt16(rights & 7), isNamed ? UInt32(id) : .max))
  }
  guard !entries.isEmpty else { return nil }
  entries.sort { ($0.tag, $0.id) < ($1.tag, $1.id) }
  var bytes: [UInt8] = [2, 0, 0, 0]
  for entry in entries {
    for value in [entry.tag, entry.rights] {
      bytes.append(UInt8(value & 0xFF))
      bytes.append(UInt8(value >> 8))
    }
    for shift in [0, 8, 16, 24] { bytes.append(UInt8(entry.id >> UInt32(shift) & 0xFF)) }
  }
  return (bytes, entries.first { $0.tag == 0x10 }?.rights)
}
