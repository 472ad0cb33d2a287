internal import FoundationEssentials

/// This process's environment variables.
public func environmentVariables() -> [String: String] { ProcessInfo.processInfo.environment }
