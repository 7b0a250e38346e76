// Finds what can be broken in a module, and writes the module so that each break can be switched on by
// its number: `__mutant(7) ? broken : whole`. One build serves all mutants.
import ts from "typescript";

const K = ts.SyntaxKind;
const SWAPPED = new Map([
  [K.EqualsEqualsEqualsToken, "!=="],
  [K.ExclamationEqualsEqualsToken, "==="],
  [K.LessThanToken, "<="],
  [K.LessThanEqualsToken, "<"],
  [K.GreaterThanToken, ">="],
  [K.GreaterThanEqualsToken, ">"],
  [K.AmpersandAmpersandToken, "||"],
  [K.BarBarToken, "&&"],
  [K.PlusToken, "-"],
  [K.MinusToken, "+"],
  [K.AsteriskToken, "/"],
  [K.SlashToken, "*"],
]);

/** `{ text, mutants }`: the module with all its breaks in it, and what each of them is. Numbers begin at `first`. */
export function withMutants(file, source, first) {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.ESNext, true);
  const lines = source.split("\n");
  const mutants = [];
  const print = (node) => {
    const broken = ts.isExpression(node) ? breaksOf(node, source) : [];
    let text = printChildren(node, source, print);
    for (const replacement of broken) {
      const number = first + mutants.length;
      const { line } = tree.getLineAndCharacterOfPosition(node.getStart());
      const isCell = isTableCell(node);
      const was = oneLine(node.getText());
      const is = oneLine(replacement);
      const place = `${file}: ${oneLine(lines[line] ?? "")}`;
      mutants.push({
        number,
        file,
        line: line + 1,
        isCell,
        was,
        is,
        key: `${place} | ${was} → ${is}`,
      });
      text = `(__mutant(${number}) ? (${replacement}) : (${text}))`;
    }
    return text;
  };
  return { text: print(tree), mutants };
}

const oneLine = (text) => text.replace(/\s+/g, " ").trim().slice(0, 120);

/** The text of a node from its first token on, its children printed by `print`; types stay as they are. */
function printChildren(node, source, print) {
  let text = "";
  let at = node.getStart();
  node.forEachChild((child) => {
    text += source.slice(at, child.getStart());
    text += isLeftAlone(child) ? child.getText() : print(child);
    at = child.getEnd();
  });
  return text + source.slice(at, node.getEnd());
}

function isLeftAlone(node) {
  return (
    ts.isTypeNode(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isImportDeclaration(node) ||
    ts.isExportDeclaration(node) ||
    ts.isTypeParameterDeclaration(node) ||
    ts.isTemplateHead(node) ||
    ts.isTemplateMiddle(node) ||
    ts.isTemplateTail(node)
  );
}

function breaksOf(node, source) {
  const { parent } = node;
  if (ts.isPropertyAssignment(parent) && parent.name === node) return [];
  if (ts.isBinaryExpression(node)) return ofBinary(node, source);
  if (ts.isPrefixUnaryExpression(node) && node.operator === K.ExclamationToken) {
    return [node.operand.getText()];
  }
  if (node.kind === K.TrueKeyword) return ["false"];
  if (node.kind === K.FalseKeyword) return ["true"];
  if (ts.isNumericLiteral(node)) return [`${node.getText()} + 1`];
  if (isCondition(node)) return ["true", "false"];
  if (isTableCell(node)) return ofCell(node);
  if (ts.isStringLiteral(node) && (ts.isReturnStatement(parent) || isKind(parent))) {
    return [JSON.stringify(`${node.text}?`)];
  }
  return [];
}

function ofBinary(node, source) {
  const swapped = SWAPPED.get(node.operatorToken.kind);
  if (swapped === undefined) return [];
  const isText = /["'`]/.test(node.getText()) && ["-", "+"].includes(swapped);
  if (isText) return [];
  const left = source.slice(node.left.getStart(), node.left.getEnd());
  const right = source.slice(node.right.getStart(), node.right.getEnd());
  return [`(${left}) ${swapped} (${right})`];
}

const isCondition = (node) =>
  (ts.isIfStatement(node.parent) && node.parent.expression === node) ||
  (ts.isConditionalExpression(node.parent) && node.parent.condition === node);

const isKind = (parent) =>
  ts.isPropertyAssignment(parent) && ["kind", "to"].includes(parent.name.getText());

/** `assign: move("assigned")`, `hold: "keep"`: a transition of the table of domain/lifecycle. */
function isTableCell(node) {
  if (!ts.isPropertyAssignment(node.parent) || node.parent.initializer !== node) return false;
  const row = node.parent.parent.parent;
  const table = row.parent?.parent;
  return table !== undefined && ts.isVariableDeclaration(table) && table.name.getText() === "TABLE";
}

/** Refused; led elsewhere; the attempt left open, or ended. */
function ofCell(node) {
  if (ts.isStringLiteral(node)) return [node.text === "keep" ? '"refuse"' : '"keep"'];
  if (!ts.isCallExpression(node)) return [];
  const [target] = node.arguments;
  const name = node.expression.getText();
  const elsewhere = target?.getText() === '"failed"' ? '"canceled"' : '"failed"';
  return [
    '"refuse"',
    '"keep"',
    `${name}(${elsewhere})`,
    `${name === "move" ? "end" : "move"}(${target?.getText() ?? ""})`,
  ];
}
