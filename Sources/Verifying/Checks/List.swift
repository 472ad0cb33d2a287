/// Every check of an image that needs no machine, in the order in which they run.
public let imageChecks: [any Check] = [
  FsckCheck(), PristineCheck(), SameTreeCheck(), PackagesCheck(), UnitsCheck(), AgentsCheck(),
  IdentityCheck(), CredentialsCheck(), PasswordsCheck(), SecretsCheck(), TracesCheck(),
  ModesCheck(), BudgetCheck(),
]
