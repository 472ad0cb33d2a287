/// Splits what a program prints into text and control functions, as a VT500 does, byte by byte.
///
/// It keeps everything that it needs between bytes, so the way in which output is cut into chunks makes
/// no difference. Overlong sequences are cut short, never stored. Source: Paul Williams, "A parser for
/// DEC's ANSI-compatible video terminals".
struct ScreenParser {
  /// One thing to draw or to do.
  enum Item: Equatable {
    case print(Unicode.Scalar)
    /// A C0 control other than ESC.
    case control(UInt8)
    /// ESC, intermediates, final.
    case escape(intermediates: [UInt8], final: UInt8)
    /// CSI with a private marker (0 for none), parameters (-1 for an empty one), intermediates, final.
    case csi(marker: UInt8, parameters: [Int], intermediates: [UInt8], final: UInt8)
    /// The text of an operating system command.
    case osc([UInt8])
  }

  private enum State { case ground, escape, csi, csiIgnored, osc, string }

  /// Longest operating system command kept: a sign-in address is far below it.
  static let longestCommand = 16384
  private static let mostParameters = 32

  private var state = State.ground
  private var marker: UInt8 = 0
  private var parameters: [Int] = []
  private var intermediates: [UInt8] = []
  private var text: [UInt8] = []
  private var sawEscapeInString = false
  private var partial = PartialScalar()

  /// Whether a printable ASCII character would be just that.
  var isInText: Bool { state == .ground && !partial.isPending }

  /// Takes one byte; gives at most two items (a broken character, and what broke it).
  mutating func feed(_ byte: UInt8, _ emit: (Item) -> Void) {
    if state == .osc || state == .string, !inString(byte, emit) { return }
    switch byte {
    case 0x1B:
      abandonScalar(emit)
      state = .escape
      intermediates = []
    case 0x18, 0x1A:
      abandonScalar(emit)
      state = .ground
    case 0..<0x20:
      abandonScalar(emit)
      emit(.control(byte))
    default:
      switch state {
      case .ground: inGround(byte, emit)
      case .escape: inEscape(byte, emit)
      case .csi: inCSI(byte, emit)
      case .csiIgnored: if (0x40...0x7E).contains(byte) { state = .ground }
      case .osc, .string: break
      }
    }
  }

  private mutating func abandonScalar(_ emit: (Item) -> Void) {
    if partial.isPending { emit(.print("\u{FFFD}")) }
    partial = PartialScalar()
  }

  private mutating func inGround(_ byte: UInt8, _ emit: (Item) -> Void) {
    if byte < 0x80 {
      abandonScalar(emit)
      if byte != 0x7F { emit(.print(Unicode.Scalar(byte))) }
    } else {
      partial.add(byte) { emit(.print($0)) }
    }
  }

  private mutating func inEscape(_ byte: UInt8, _ emit: (Item) -> Void) {
    switch byte {
    case 0x20...0x2F:
      if intermediates.count < 4 { intermediates.append(byte) }
    case UInt8(ascii: "[") where intermediates.isEmpty:
      state = .csi
      marker = 0
      parameters = []
    case UInt8(ascii: "]") where intermediates.isEmpty: beginString(.osc)
    case UInt8(ascii: "P"), UInt8(ascii: "X"), UInt8(ascii: "^"), UInt8(ascii: "_"):
      if intermediates.isEmpty { beginString(.string) } else { state = .ground }
    case 0x30...0x7E:
      state = .ground
      emit(.escape(intermediates: intermediates, final: byte))
    default: state = .ground
    }
  }

  private mutating func inCSI(_ byte: UInt8, _ emit: (Item) -> Void) {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      if parameters.isEmpty { parameters = [-1] }
      let last = parameters.count - 1
      parameters[last] = min(max(parameters[last], 0) * 10 + Int(byte - 0x30), 65535)
    case UInt8(ascii: ";"), UInt8(ascii: ":"):
      if parameters.isEmpty { parameters = [-1] }
      if parameters.count < Self.mostParameters {
        parameters.append(-1)
      } else {
        state = .csiIgnored
      }
    case UInt8(ascii: "<")...UInt8(ascii: "?"):
      if parameters.isEmpty, marker == 0 { marker = byte } else { state = .csiIgnored }
    case 0x20...0x2F:
      if intermediates.count < 4 { intermediates.append(byte) } else { state = .csiIgnored }
    case 0x40...0x7E:
      state = .ground
      emit(
        .csi(marker: marker, parameters: parameters, intermediates: intermediates, final: byte))
    default: state = .csiIgnored
    }
  }

  private mutating func beginString(_ kind: State) {
    state = kind
    text = []
    sawEscapeInString = false
  }

  /// - Returns: whether the byte is still to be handled, as the start of something else.
  private mutating func inString(_ byte: UInt8, _ emit: (Item) -> Void) -> Bool {
    if sawEscapeInString {
      sawEscapeInString = false
      endString(emit)
      if byte == UInt8(ascii: "\\") { return false }
      state = .escape
      intermediates = []
      return true
    }
    switch byte {
    case 0x1B: sawEscapeInString = true
    case 0x07: endString(emit)
    case 0x18, 0x1A: state = .ground
    default: if text.count <= Self.longestCommand { text.append(byte) }
    }
    return false
  }

  private mutating func endString(_ emit: (Item) -> Void) {
    if state == .osc, text.count <= Self.longestCommand { emit(.osc(text)) }
    state = .ground
    text = []
  }
}

/// The bytes so far of a character in UTF-8.
struct PartialScalar {
  private var value: UInt32 = 0
  private var missing = 0
  private var least: UInt32 = 0

  var isPending: Bool { missing > 0 }

  /// Takes a byte above 0x7F; what is not UTF-8 comes out as the replacement character.
  mutating func add(_ byte: UInt8, _ emit: (Unicode.Scalar) -> Void) {
    if byte & 0xC0 == 0x80 {
      guard missing > 0 else { return emit("\u{FFFD}") }
      value = value << 6 | UInt32(byte & 0x3F)
      missing -= 1
      if missing == 0 { emit(value >= least ? Unicode.Scalar(value) ?? "\u{FFFD}" : "\u{FFFD}") }
      return
    }
    if missing > 0 { emit("\u{FFFD}") }
    switch byte {
    case 0xC2...0xDF: (value, missing, least) = (UInt32(byte & 0x1F), 1, 0x80)
    case 0xE0...0xEF: (value, missing, least) = (UInt32(byte & 0x0F), 2, 0x800)
    case 0xF0...0xF4: (value, missing, least) = (UInt32(byte & 0x07), 3, 0x10000)
    default:
      missing = 0
      emit("\u{FFFD}")
    }
  }
}
