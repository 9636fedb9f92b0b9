/// Parts of paths of files. (Foundation's `deletingLastPathComponent` traps on paths of one character.)
public enum PathParts {
  /// The folder that a file lies in, "." where its path names none.
  public static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The name of a file in its folder.
  public static func name(of path: String) -> String {
    String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...])
  }
}
