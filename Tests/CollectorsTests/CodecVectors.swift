import Collectors

/// Made with Python's struct module: big-endian bytes cut into registers, these and their bytes then reordered.
struct CodecVector: Sendable {
  var type: RegisterType
  var order: RegisterOrder
  var registers: [UInt16]
  var value: Double

  static let all: [CodecVector] = [
    CodecVector(
      type: .uint16, order: RegisterOrder(),
      registers: [0x0000], value: 0.0),
    CodecVector(
      type: .uint16, order: RegisterOrder(bytesLittle: true),
      registers: [0x0000], value: 0.0),
    CodecVector(
      type: .uint16, order: RegisterOrder(),
      registers: [0x9C40], value: 40000.0),
    CodecVector(
      type: .uint16, order: RegisterOrder(bytesLittle: true),
      registers: [0x409C], value: 40000.0),
    CodecVector(
      type: .int16, order: RegisterOrder(),
      registers: [0xFFFE], value: -2.0),
    CodecVector(
      type: .int16, order: RegisterOrder(bytesLittle: true),
      registers: [0xFEFF], value: -2.0),
    CodecVector(
      type: .int16, order: RegisterOrder(),
      registers: [0x8000], value: -32768.0),
    CodecVector(
      type: .int16, order: RegisterOrder(bytesLittle: true),
      registers: [0x0080], value: -32768.0),
    CodecVector(
      type: .float16, order: RegisterOrder(),
      registers: [0xBE00], value: -1.5),
    CodecVector(
      type: .float16, order: RegisterOrder(bytesLittle: true),
      registers: [0x00BE], value: -1.5),
    CodecVector(
      type: .uint32, order: RegisterOrder(),
      registers: [0x1234, 0x5678], value: 305419896.0),
    CodecVector(
      type: .uint32, order: RegisterOrder(bytesLittle: true),
      registers: [0x3412, 0x7856], value: 305419896.0),
    CodecVector(
      type: .uint32, order: RegisterOrder(wordsLittle: true),
      registers: [0x5678, 0x1234], value: 305419896.0),
    CodecVector(
      type: .uint32, order: RegisterOrder(bytesLittle: true, wordsLittle: true),
      registers: [0x7856, 0x3412], value: 305419896.0),
    CodecVector(
      type: .int32, order: RegisterOrder(),
      registers: [0xF8A4, 0x32EB], value: -123456789.0),
    CodecVector(
      type: .int32, order: RegisterOrder(bytesLittle: true),
      registers: [0xA4F8, 0xEB32], value: -123456789.0),
    CodecVector(
      type: .int32, order: RegisterOrder(wordsLittle: true),
      registers: [0x32EB, 0xF8A4], value: -123456789.0),
    CodecVector(
      type: .int32, order: RegisterOrder(bytesLittle: true, wordsLittle: true),
      registers: [0xEB32, 0xA4F8], value: -123456789.0),
    CodecVector(
      type: .float32, order: RegisterOrder(),
      registers: [0x42F7, 0x0000], value: 123.5),
    CodecVector(
      type: .float32, order: RegisterOrder(bytesLittle: true),
      registers: [0xF742, 0x0000], value: 123.5),
    CodecVector(
      type: .float32, order: RegisterOrder(wordsLittle: true),
      registers: [0x0000, 0x42F7], value: 123.5),
    CodecVector(
      type: .float32, order: RegisterOrder(bytesLittle: true, wordsLittle: true),
      registers: [0x0000, 0xF742], value: 123.5),
    CodecVector(
      type: .float32, order: RegisterOrder(),
      registers: [0xBAA0, 0x0000], value: -0.001220703125),
    CodecVector(
      type: .float32, order: RegisterOrder(bytesLittle: true),
      registers: [0xA0BA, 0x0000], value: -0.001220703125),
    CodecVector(
      type: .float32, order: RegisterOrder(wordsLittle: true),
      registers: [0x0000, 0xBAA0], value: -0.001220703125),
    CodecVector(
      type: .float32, order: RegisterOrder(bytesLittle: true, wordsLittle: true),
      registers: [0x0000, 0xA0BA], value: -0.001220703125),
    CodecVector(
      type: .uint64, order: RegisterOrder(),
      registers: [0x0102, 0x0304, 0x0506, 0x0708], value: 7.262385979038285e+16),
    CodecVector(
      type: .uint64, order: RegisterOrder(bytesLittle: true),
      registers: [0x0201, 0x0403, 0x0605, 0x0807], value: 7.262385979038285e+16),
    CodecVector(
      type: .uint64, order: RegisterOrder(wordsLittle: true),
      registers: [0x0708, 0x0506, 0x0304, 0x0102], value: 7.262385979038285e+16),
    CodecVector(
      type: .uint64, order: RegisterOrder(bytesLittle: true, wordsLittle: true),
      registers: [0x0807, 0x0605, 0x0403, 0x0201], value: 7.262385979038285e+16),
    CodecVector(
      type: .uint64, order: RegisterOrder(halvesSwapped: true),
      registers: [0x0506, 0x0708, 0x0102, 0x0304], value: 7.262385979038285e+16),
    CodecVector(
      type: .uint64, order: RegisterOrder(bytesLittle: true, halvesSwapped: true),
      registers: [0x0605, 0x0807, 0x0201, 0x0403], value: 7.262385979038285e+16),
    CodecVector(
      type: .uint64, order: RegisterOrder(wordsLittle: true, halvesSwapped: true),
      registers: [0x0304, 0x0102, 0x0708, 0x0506], value: 7.262385979038285e+16),
    CodecVector(
      type: .uint64, order: RegisterOrder(bytesLittle: true, wordsLittle: true, halvesSwapped: true),
      registers: [0x0403, 0x0201, 0x0807, 0x0605], value: 7.262385979038285e+16),
    CodecVector(
      type: .int64, order: RegisterOrder(),
      registers: [0xFFFF, 0xFEE0, 0x8E04, 0xFB35], value: -1234567890123.0),
    CodecVector(
      type: .int64, order: RegisterOrder(bytesLittle: true),
      registers: [0xFFFF, 0xE0FE, 0x048E, 0x35FB], value: -1234567890123.0),
    CodecVector(
      type: .int64, order: RegisterOrder(wordsLittle: true),
      registers: [0xFB35, 0x8E04, 0xFEE0, 0xFFFF], value: -1234567890123.0),
    CodecVector(
      type: .int64, order: RegisterOrder(bytesLittle: true, wordsLittle: true),
      registers: [0x35FB, 0x048E, 0xE0FE, 0xFFFF], value: -1234567890123.0),
    CodecVector(
      type: .int64, order: RegisterOrder(halvesSwapped: true),
      registers: [0x8E04, 0xFB35, 0xFFFF, 0xFEE0], value: -1234567890123.0),
    CodecVector(
      type: .int64, order: RegisterOrder(bytesLittle: true, halvesSwapped: true),
      registers: [0x048E, 0x35FB, 0xFFFF, 0xE0FE], value: -1234567890123.0),
    CodecVector(
      type: .int64, order: RegisterOrder(wordsLittle: true, halvesSwapped: true),
      registers: [0xFEE0, 0xFFFF, 0xFB35, 0x8E04], value: -1234567890123.0),
    CodecVector(
      type: .int64, order: RegisterOrder(bytesLittle: true, wordsLittle: true, halvesSwapped: true),
      registers: [0xE0FE, 0xFFFF, 0x35FB, 0x048E], value: -1234567890123.0),
    CodecVector(
      type: .float64, order: RegisterOrder(),
      registers: [0x4009, 0x21FB, 0x5444, 0x2D18], value: 3.141592653589793),
    CodecVector(
      type: .float64, order: RegisterOrder(bytesLittle: true),
      registers: [0x0940, 0xFB21, 0x4454, 0x182D], value: 3.141592653589793),
    CodecVector(
      type: .float64, order: RegisterOrder(wordsLittle: true),
      registers: [0x2D18, 0x5444, 0x21FB, 0x4009], value: 3.141592653589793),
    CodecVector(
      type: .float64, order: RegisterOrder(bytesLittle: true, wordsLittle: true),
      registers: [0x182D, 0x4454, 0xFB21, 0x0940], value: 3.141592653589793),
    CodecVector(
      type: .float64, order: RegisterOrder(halvesSwapped: true),
      registers: [0x5444, 0x2D18, 0x4009, 0x21FB], value: 3.141592653589793),
    CodecVector(
      type: .float64, order: RegisterOrder(bytesLittle: true, halvesSwapped: true),
      registers: [0x4454, 0x182D, 0x0940, 0xFB21], value: 3.141592653589793),
    CodecVector(
      type: .float64, order: RegisterOrder(wordsLittle: true, halvesSwapped: true),
      registers: [0x21FB, 0x4009, 0x2D18, 0x5444], value: 3.141592653589793),
    CodecVector(
      type: .float64, order: RegisterOrder(bytesLittle: true, wordsLittle: true, halvesSwapped: true),
      registers: [0xFB21, 0x0940, 0x182D, 0x4454], value: 3.141592653589793),
    CodecVector(
      type: .float64, order: RegisterOrder(),
      registers: [0x81BA, 0xC9A7, 0xB3B7, 0x302F], value: -2.5e-300),
    CodecVector(
      type: .float64, order: RegisterOrder(bytesLittle: true),
      registers: [0xBA81, 0xA7C9, 0xB7B3, 0x2F30], value: -2.5e-300),
    CodecVector(
      type: .float64, order: RegisterOrder(wordsLittle: true),
      registers: [0x302F, 0xB3B7, 0xC9A7, 0x81BA], value: -2.5e-300),
    CodecVector(
      type: .float64, order: RegisterOrder(bytesLittle: true, wordsLittle: true),
      registers: [0x2F30, 0xB7B3, 0xA7C9, 0xBA81], value: -2.5e-300),
    CodecVector(
      type: .float64, order: RegisterOrder(halvesSwapped: true),
      registers: [0xB3B7, 0x302F, 0x81BA, 0xC9A7], value: -2.5e-300),
    CodecVector(
      type: .float64, order: RegisterOrder(bytesLittle: true, halvesSwapped: true),
      registers: [0xB7B3, 0x2F30, 0xBA81, 0xA7C9], value: -2.5e-300),
    CodecVector(
      type: .float64, order: RegisterOrder(wordsLittle: true, halvesSwapped: true),
      registers: [0xC9A7, 0x81BA, 0x302F, 0xB3B7], value: -2.5e-300),
    CodecVector(
      type: .float64, order: RegisterOrder(bytesLittle: true, wordsLittle: true, halvesSwapped: true),
      registers: [0xA7C9, 0xBA81, 0x2F30, 0xB7B3], value: -2.5e-300),
    CodecVector(
      type: .epoch32, order: RegisterOrder(),
      registers: [0x6965, 0xF0F4], value: 1768288500.0),
    CodecVector(
      type: .epoch32, order: RegisterOrder(bytesLittle: true),
      registers: [0x6569, 0xF4F0], value: 1768288500.0),
    CodecVector(
      type: .epoch32, order: RegisterOrder(wordsLittle: true),
      registers: [0xF0F4, 0x6965], value: 1768288500.0),
    CodecVector(
      type: .epoch32, order: RegisterOrder(bytesLittle: true, wordsLittle: true),
      registers: [0xF4F0, 0x6569], value: 1768288500.0),
  ]
}
