#include <cstring>
#include "tests/ptxrun/src/ptx_text.hpp"

namespace ptxrun {
namespace {

[[noreturn]] void syntax(const Cursor& c, const std::string& what) {
  throw Unsupported("PTX line " + std::to_string(c.line()) + ": " + what + " near '" + std::string(c.peek()) + "'");
}

bool is_number(std::string_view t) { return !t.empty() && t[0] >= '0' && t[0] <= '9'; }

std::int64_t parse_offset(Cursor& c) {  // what may follow a name: +4, +-4, -4
  std::int64_t sum = 0;
  while (c.peek() == "+" || c.peek() == "-") {
    bool minus = c.next() == "-";
    if (c.accept("-")) minus = !minus;
    sum += std::int64_t(parse_number(c.next(), minus, 8));
  }
  return sum;
}

Operand parse_operand(Cursor& c);

void parse_items(Cursor& c, Operand& o, std::string_view close) {
  while (!c.accept(close)) {
    o.items.push_back(parse_operand(c));
    c.accept(",");
    if (c.done()) syntax(c, "unclosed list");
  }
}

Operand parse_operand(Cursor& c) {
  Operand o;
  if (c.accept("{")) {
    o.kind = Operand::Kind::vector;
    parse_items(c, o, "}");
    return o;
  }
  if (c.accept("(")) {
    o.kind = Operand::Kind::list;
    parse_items(c, o, ")");
    return o;
  }
  if (c.accept("[")) {
    o.kind = Operand::Kind::memory;
    o.name = c.next();
    o.offset = parse_offset(c);
    c.expect("]");
    return o;
  }
  o.negated = c.accept("!");
  o.minus = c.accept("-");
  o.name = c.next();
  if (o.name == "_") {
    o.kind = Operand::Kind::sink;
  } else if (is_number(o.name)) {
    o.kind = Operand::Kind::number;
    return o;
  }
  if (c.accept("|"))
    o.pair = c.next();
  else
    o.offset = parse_offset(c);
  return o;
}

Space space_of(std::string_view directive) {
  if (directive == ".const") return Space::constant;
  if (directive == ".shared") return Space::shared;
  if (directive == ".local") return Space::local;
  if (directive == ".param") return Space::param;
  return Space::global;
}

void store(std::vector<std::uint8_t>& out, std::uint64_t value, unsigned bytes) {
  auto* p = reinterpret_cast<const std::uint8_t*>(&value);
  out.insert(out.end(), p, p + bytes);
}

void parse_initializer(Cursor& c, Variable& v) {
  unsigned bytes = size_of(v.type);
  if (c.accept("{")) {
    while (!c.accept("}")) {
      parse_initializer(c, v);
      c.accept(",");
      if (c.done()) syntax(c, "unclosed initialiser");
    }
    return;
  }
  bool minus = c.accept("-");
  std::string_view t = c.next();
  if (is_number(t)) {
    store(v.init, parse_number(t, minus, bytes), bytes);
    return;
  }
  bool generic = t == "generic";
  if (generic) {
    c.expect("(");
    t = c.next();
    c.expect(")");
  }
  v.addresses.push_back({v.init.size(), std::string(t), parse_offset(c), generic});
  store(v.init, 0, bytes);
}

std::vector<Variable> parse_parameters(Cursor& c) {
  std::vector<Variable> out;
  if (!c.accept("(")) return out;
  while (!c.accept(")")) {
    if (c.accept(".param"))
      out.push_back(parse_variable(c, Space::param));
    else if (c.accept(".reg"))
      throw Unsupported("function parameters in registers");
    else if (!c.accept(","))
      syntax(c, "parameter list");
  }
  return out;
}

void parse_function(Cursor& c, Module& m, bool entry) {
  Function f;
  f.entry = entry;
  if (!entry) f.returns = parse_parameters(c);
  f.name = c.next();
  f.params = parse_parameters(c);
  while (c.peek() != "{" && c.peek() != ";") {  // performance directives
    std::string_view d = c.next();
    if (d == ".maxntid" || d == ".reqntid") {
      f.max_threads = 1;
      do f.max_threads *= std::uint32_t(parse_number(c.next(), false, 4));
      while (c.accept(","));
    }
    if (c.done()) syntax(c, "function header");
  }
  if (c.peek() == "{") {
    f.body = c.at();
    c.skip_braces();
  } else {
    c.next();
  }
  auto& slot = m.functions[f.name];
  if (f.body || !slot.body) slot = std::move(f);
}

void parse_file(Cursor& c, Module& m) {
  unsigned index = unsigned(parse_number(c.next(), false, 4));
  std::string_view name = c.peek();
  if (name.size() > 2) m.files[index] = std::string(name.substr(1, name.size() - 2));
  c.skip_line();
}

}  // namespace

void Cursor::expect(std::string_view t) {
  if (!accept(t)) syntax(*this, "expected '" + std::string(t) + "'");
}

void Cursor::skip_line() {
  for (std::uint32_t l = (*tokens_)[at_ - 1].line; !done() && line() == l;) ++at_;
}

void Cursor::skip_braces() {
  int depth = 0;
  do {
    std::string_view t = next();
    depth += (t == "{") - (t == "}");
  } while (depth && !done());
}

Statement parse_statement(Cursor& c) {
  Statement s;
  s.line = c.line();
  if (c.accept("@")) {
    s.guard_negated = c.accept("!");
    s.guard = c.next();
  }
  s.opcode = c.next();
  while (!c.accept(";")) {
    s.ops.push_back(parse_operand(c));
    if (!c.accept(",") && c.peek() != ";") syntax(c, "operands of " + std::string(s.opcode));
  }
  return s;
}

Variable parse_variable(Cursor& c, Space space) {
  Variable v;
  v.space = space;
  for (std::string_view t = c.peek(); !t.empty() && t[0] == '.'; t = c.peek()) {
    c.next();
    if (t == ".align") {
      v.align = std::uint32_t(parse_number(c.next(), false, 4));
      continue;
    }
    if (t == ".v2" || t == ".v4") throw Unsupported("vector variable");
    Type type = parse_type(t.substr(1));
    if (type != Type::none)
      v.type = type;  // else .ptr .global: attributes of a kernel parameter
    else if (t == ".attribute") {
      c.next();
      while (!c.accept(")")) c.next();
    }
  }
  v.name = c.next();
  unsigned unit = size_of(v.type);
  v.align = std::max(v.align, unit);
  v.size = unit;
  while (c.accept("[")) {
    if (c.accept("]")) {
      v.size = 0;
      continue;
    }
    v.size *= parse_number(c.next(), false, 8);
    c.expect("]");
  }
  if (c.accept("<")) {
    v.count = std::uint32_t(parse_number(c.next(), false, 4));
    c.expect(">");
  }
  if (c.accept("=")) {
    parse_initializer(c, v);
    if (v.size == 0) v.size = v.init.size();
  }
  return v;
}

std::unique_ptr<Module> parse_module(std::string text) {
  auto m = std::make_unique<Module>();
  m->text = std::move(text);
  m->tokens = tokenize(m->text);
  m->tokens.insert(m->tokens.begin(), Token{"", 0});  // so that token 0 means none
  for (Cursor c(m->tokens, 1); !c.done();) {
    std::string_view d = c.next();
    if (d == ".visible" || d == ".weak" || d == ".extern" || d == ".common" || d == ";") continue;
    if (d == ".version" || d == ".target" || d == ".address_size") {
      c.skip_line();
      continue;
    }
    if (d == ".entry" || d == ".func") {
      parse_function(c, *m, d == ".entry");
      continue;
    }
    if (d == ".file") {
      parse_file(c, *m);
      continue;
    }
    if (d == ".section") {
      c.next();
      c.skip_braces();
      continue;
    }
    if (d == ".pragma") {
      c.skip_line();
      continue;
    }
    if (d == ".global" || d == ".const" || d == ".shared") {
      Space space = space_of(d);
      do {
        Variable v = parse_variable(c, space);
        m->variable_order.push_back(v.name);
        m->variables[v.name] = std::move(v);
      } while (c.accept(","));
      c.expect(";");
      continue;
    }
    throw Unsupported("PTX line " + std::to_string(c.line()) + ": directive " + std::string(d));
  }
  return m;
}

}  // namespace ptxrun
