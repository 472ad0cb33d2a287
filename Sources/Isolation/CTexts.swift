internal import Glibc

/// Texts as C has them, for as long as this lives.
final class CTexts {
  private var texts: [UnsafeMutablePointer<CChar>] = []
  private var lists: [UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>] = []

  deinit {
    for text in texts { free(text) }
    for list in lists { list.deallocate() }
  }

  /// One text; a NUL in it would cut it short, and is refused.
  func pointer(_ text: String) throws(IsolationFailure) -> UnsafePointer<CChar> {
    guard !text.utf8.contains(0) else { throw .unfit(value: text, reason: "it holds a NUL") }
    guard let copy = strdup(text) else {
      throw .refused(operation: "prepare a command", code: ENOMEM)
    }
    texts.append(copy)
    return UnsafePointer(copy)
  }

  /// Several texts, with NULL at the end.
  func list(
    _ values: [String]
  ) throws(IsolationFailure) -> UnsafePointer<UnsafeMutablePointer<CChar>?> {
    let list = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(
      capacity: values.count + 1)
    list.initialize(repeating: nil, count: values.count + 1)
    lists.append(list)
    for (index, value) in values.enumerated() {
      list[index] = UnsafeMutablePointer(mutating: try pointer(value))
    }
    return UnsafePointer(list)
  }
}
