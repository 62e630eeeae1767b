import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "gen", "node_modules", "coverage"] },
  {
    files: ["**/*.ts", "**/*.tsx"],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // A revision or a count in a message needs no String() around it.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // A const and a type of one name are one idea here: the values of an enumeration and their type.
      "@typescript-eslint/no-redeclare": "off",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // The domain's own enumerations have the numbers of the wire; a test holds them together.
      "@typescript-eslint/no-unsafe-enum-assignment": "off",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
    },
  },
);
