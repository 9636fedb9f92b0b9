import GraphIR
import Tensors
import TestSupport
import Testing

@Suite struct TextErrorTests {
  private static let function =
    "func @f(%x: f32[S, 4]) -> (y: f32[S, 4]) {\n  %y = relu(%x) : f32[S, 4]\n  return %y\n}\n"

  /// Texts that are no module; each stands for one message.
  private static let texts = [
    "func",
    "func @f(%x: f32[S, 4]) -> (y: f32[S, 4]) {",
    "const @c = 1",
    "const @c: f33[1] = [1]",
    "const @c: f32[1 = [1]\n",
    "const @c: f32[*] = [1]",
    "const @c: f32[S] = [1]",
    "const @c: f32[2] = [1]",
    "const @c: i8[1] = [128]",
    "const @c: i64[1] = [1.5]",
    "const @c: f32[1] = [nan(0x0)]",
    "const @c: f32[100] = blob(0)",
    "const @c: f32[1] = [1]\nconst @c: f32[1] = [1]",
    "const @c: f32[9000000000000000000, 9] = blob(0)",
    "module { a = \"1\" a = \"2\" }",
    "module { a = \"1\n\" }",
    "module { a = \"\\q\" }",
    "§",
    function + function,
    function + "const",
    function.replacing("%x)", with: "%z)"),
    function.replacing("%x)", with: "%y)"),
    function.replacing("%x)", with: "@w)"),
    function.replacing("%x)", with: "%x, %x)"),
    function.replacing("%x)", with: "_)"),
    function.replacing("relu", with: "rely"),
    function.replacing(" : f32[S, 4]\n", with: " : f32[S, 5]\n"),
    function.replacing(" : f32[S, 4]\n", with: " : f32[S]\n"),
    function.replacing(" : f32[S, 4]\n", with: "\n"),
    function.replacing(" : f32[S, 4]\n", with: " : _\n"),
    function.replacing("%x)", with: "%x) {a = }"),
    function.replacing("%x)", with: "%x) {a = 1, a = 2}"),
    function.replacing("%x)", with: "%x) {a = 99999999999999999999}"),
    function.replacing("%y =", with: "%x ="),
    function.replacing("return %y", with: "return %x"),
    function.replacing("return %y", with: "return"),
    function.replacing("return %y", with: "return x = %x"),
    function.replacing("return %y", with: "return _"),
    function.replacing("%x)", with: "%x) {axis = 1}"),
    function.replacing("relu(%x)", with: "annotated(%x) {ints = 1}"),
    function.replacing("relu(", with: "split("),
    function.replacing("%y = relu(%x) : f32[S, 4]", with: "_, %y = relu(%x) : _, f32[S, 4]"),
    function.replacing("y: f32[S, 4]", with: "y: f32[S, 5]"),
    function.replacing("f32[S, 4]) {", with: "f32[S, 4]) bounds {S = 1, S = 2} {"),
    function.replacing("f32[S, 4]) {", with: "f32[S, 4]) bounds {S = -1} {"),
    function.replacing("f32[S, 4]) {", with: "f32[\(String(repeating: "(", count: 50))S]) {"),
  ]

  @Test func messages() throws {
    var report = ""
    for text in Self.texts {
      do throws(ParseError) {
        _ = try Module(parsing: text, operators: Toy.operators)
        report += "no error\n"
      } catch {
        report += "\(error)\n"
      }
    }
    try Golden.expect(report, named: "text-errors.txt")
  }

  @Test func commentsAndBlanksDoNotMatter() throws {
    let spaced = "// a\n" + Self.function.replacing(" ", with: "  ").replacing("\n", with: " // b\n\r\n\t")
    let module = try Module(parsing: spaced, operators: Toy.operators)
    #expect(module.text == Self.function)
  }
}
