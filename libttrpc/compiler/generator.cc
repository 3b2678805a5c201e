// SPDX-License-Identifier: Apache-2.0
#include "generator.h"

#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/io/printer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "comments.h"
#include "names.h"

namespace ttrpc::compiler {

namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;
using google::protobuf::SourceLocation;
using google::protobuf::compiler::cpp::QualifiedClassName;
using google::protobuf::compiler::cpp::StripProto;
using google::protobuf::io::Printer;
using google::protobuf::io::StringOutputStream;

using Variables = std::map<std::string, std::string>;

enum class Kind { kUnary, kServerStream, kClientStream, kBidiStream };

Kind KindOf(const MethodDescriptor& method) {
  if (method.client_streaming())
    return method.server_streaming() ? Kind::kBidiStream : Kind::kClientStream;
  return method.server_streaming() ? Kind::kServerStream : Kind::kUnary;
}

std::string BoolText(bool value) { return value ? "true" : "false"; }

// Returns the text that `print` writes to a printer.
template <typename Print>
std::string Text(Print print) {
  std::string text;
  {
    StringOutputStream stream(&text);
    Printer out(&stream, '$');
    print(out);
  }
  return text;
}

// Returns the namespaces that protoc uses for the messages of the file.
std::vector<std::string> NamespacesOf(const FileDescriptor& file) {
  std::vector<std::string> parts;
  std::string part;
  for (const char c : file.package() + ".") {
    if (c != '.') {
      part += c;
    } else if (!part.empty()) {
      parts.push_back(part);
      part.clear();
    }
  }
  return parts;
}

void OpenNamespaces(const FileDescriptor& file, Printer& out) {
  const auto parts = NamespacesOf(file);
  for (const std::string& part : parts) out.Print("namespace $part$ {\n", "part", part);
  if (!parts.empty()) out.Print("\n");
}

void CloseNamespaces(const FileDescriptor& file, Printer& out) {
  auto parts = NamespacesOf(file);
  if (!parts.empty()) out.Print("\n");
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    out.Print("}  // namespace $part$\n", "part", *part);
}

// Copies the comment that precedes the definition in the .proto file.
template <typename D>
void PrintComment(const D& descriptor, Printer& out) {
  SourceLocation location;
  if (!descriptor.GetSourceLocation(&location)) return;
  for (const std::string& line : CommentLines(location.leading_comments))
    out.Print("//$line$\n", "line", line);
}

Variables VariablesOf(const ServiceDescriptor& service, const Options& options) {
  const ServiceNames names(service, options);
  return {{"class", names.interface()},
          {"client", names.client()},
          {"register", names.register_function()},
          {"service", service.full_name()}};
}

Variables VariablesOf(const MethodDescriptor& method, const Options& options) {
  Variables variables = VariablesOf(*method.service(), options);
  const ServiceNames names(*method.service(), options);
  variables["name"] = names.method(method);
  variables["method"] = method.name();
  variables["index"] = std::to_string(method.index());
  variables["request"] = QualifiedClassName(method.input_type());
  variables["reply"] = QualifiedClassName(method.output_type());
  variables["client_streams"] = BoolText(method.client_streaming());
  variables["server_streams"] = BoolText(method.server_streaming());
  return variables;
}

// The result type and the parameters of the function that servers and clients share, by Kind.
constexpr const char* kResult[] = {
    "::ttrpc::Task<::ttrpc::Result<$reply$>>",
    "::ttrpc::Task<::ttrpc::Status>",
    "::ttrpc::Task<::ttrpc::Result<$reply$>>",
    "::ttrpc::Task<::ttrpc::Status>",
};
constexpr const char* kParameters[] = {
    "::ttrpc::Context& context, const $request$& request",
    "::ttrpc::Context& context, const $request$& request,\n"
    "    ::ttrpc::SendStream<$reply$>& replies",
    "::ttrpc::Context& context,\n"
    "    ::ttrpc::ReceiveStream<$request$>& requests",
    "::ttrpc::Context& context,\n"
    "    ::ttrpc::ReceiveStream<$request$>& requests,\n"
    "    ::ttrpc::SendStream<$reply$>& replies",
};

// The same for the function that only clients have.
constexpr const char* kCallResult[] = {
    "",
    "::ttrpc::ServerStreamCall<$reply$>",
    "::ttrpc::ClientStreamCall<$request$, $reply$>",
    "::ttrpc::BidiStreamCall<$request$, $reply$>",
};
constexpr const char* kCallParameters[] = {
    "",
    "::ttrpc::Context& context, const $request$& request",
    "::ttrpc::Context& context",
    "::ttrpc::Context& context",
};

std::string Signature(const char* result, const char* qualifier, const char* parameters) {
  return std::string(result) + " " + qualifier + "$name$(\n    " + parameters + ")";
}

size_t Index(const MethodDescriptor& method) { return static_cast<size_t>(KindOf(method)); }

// Header.

void PrintInterface(const ServiceDescriptor& service, const Options& options, Printer& out) {
  const Variables variables = VariablesOf(service, options);
  PrintComment(service, out);
  out.Print(variables,
            "class $class$ {\n"
            " public:\n"
            "  virtual ~$class$() = default;\n");
  out.Indent();
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    out.Print("\n");
    PrintComment(method, out);
    const size_t kind = Index(method);
    const std::string text =
        "virtual " + Signature(kResult[kind], "", kParameters[kind]) + " = 0;\n";
    out.Print(VariablesOf(method, options), text.c_str());
  }
  out.Outdent();
  out.Print("};\n\n");
}

void PrintClient(const ServiceDescriptor& service, const Options& options, Printer& out) {
  const Variables variables = VariablesOf(service, options);
  out.Print(variables,
            "// Calls $service$ over a connection. A call is sent when its function is called.\n"
            "class $client$ final : public $class$ {\n"
            " public:\n"
            "  // `client` must outlive this object.\n"
            "  explicit $client$(::ttrpc::Client& client) : client_(client) {}\n");
  out.Indent();
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    const size_t kind = Index(method);
    const Variables of_method = VariablesOf(method, options);
    std::string text = "\n" + Signature(kResult[kind], "", kParameters[kind]) + " override;\n";
    if (KindOf(method) != Kind::kUnary)
      text += Signature(kCallResult[kind], "", kCallParameters[kind]) + ";\n";
    out.Print(of_method, text.c_str());
  }
  out.Outdent();
  // clang warns about unused members.
  out.Print(
      "\n"
      " private:\n"
      "  $unused$::ttrpc::Client& client_;\n"
      "};\n\n",
      "unused", service.method_count() == 0 ? "[[maybe_unused]] " : "");
}

void PrintRegister(const ServiceDescriptor& service, const Options& options, Printer& out) {
  out.Print(VariablesOf(service, options),
            "// Registers `service`, which must outlive the server. Returns ALREADY_EXISTS if\n"
            "// $service$ is already registered.\n"
            "::ttrpc::Status $register$(::ttrpc::Server& server, $class$& service);\n");
}

// Source.

std::string CallBody(Kind kind) {
  switch (kind) {
    case Kind::kUnary:
      return "  return client_.Call<$reply$>(k$class$Methods[$index$], context, request);\n";
    case Kind::kServerStream:
      return "  return ::ttrpc::client_internal::RelayForStatus(\n"
             "      client_.OpenStream(k$class$Methods[$index$], context, request),\n"
             "      nullptr, &replies.raw());\n";
    case Kind::kClientStream:
      return "  return ::ttrpc::client_internal::RelayForReply<$reply$>(\n"
             "      client_.OpenStream(k$class$Methods[$index$], context, ::std::nullopt),\n"
             "      &requests.raw());\n";
    case Kind::kBidiStream:
      return "  return ::ttrpc::client_internal::RelayForStatus(\n"
             "      client_.OpenStream(k$class$Methods[$index$], context, ::std::nullopt),\n"
             "      &requests.raw(), &replies.raw());\n";
  }
  return {};
}

std::string OpenBody(const MethodDescriptor& method) {
  const std::string request = method.client_streaming() ? "::std::nullopt" : "request";
  return std::string("  return ") + kCallResult[Index(method)] +
         "(\n      client_.OpenStream(k$class$Methods[$index$], context, " + request + "));\n";
}

void PrintNames(const ServiceDescriptor& service, const Options& options, Printer& out) {
  if (service.method_count() == 0) return;
  out.Print(VariablesOf(service, options), "constexpr ::ttrpc::MethodInfo k$class$Methods[] = {\n");
  for (int i = 0; i < service.method_count(); ++i) {
    out.Print(VariablesOf(*service.method(i), options),
              "    {\"$service$\", \"$method$\", $client_streams$, $server_streams$},\n");
  }
  out.Print("};\n");
}

void PrintClientSource(const ServiceDescriptor& service, const Options& options, Printer& out) {
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    const Variables variables = VariablesOf(method, options);
    const size_t kind = Index(method);
    std::string text = Signature(kResult[kind], "$client$::", kParameters[kind]) + " {\n" +
                       CallBody(KindOf(method)) + "}\n\n";
    if (KindOf(method) != Kind::kUnary) {
      text += Signature(kCallResult[kind], "$client$::", kCallParameters[kind]) + " {\n" +
              OpenBody(method) + "}\n\n";
    }
    out.Print(variables, text.c_str());
  }
}

void PrintRegisterSource(const ServiceDescriptor& service, const Options& options, Printer& out) {
  out.Print(VariablesOf(service, options),
            "::ttrpc::Status $register$(::ttrpc::Server& server, $class$& service) {\n"
            "  ::ttrpc::ServiceDescription description(\"$service$\", &service, {});\n");
  constexpr const char* kGlue[] = {"Unary", "ServerStream", "ClientStream", "BidiStream"};
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    Variables variables = VariablesOf(method, options);
    variables["glue"] = kGlue[Index(method)];
    variables["flags"] =
        KindOf(method) == Kind::kUnary
            ? ""
            : variables["client_streams"] + ", " + variables["server_streams"] + ",\n      ";
    out.Print(variables,
              "  description.methods.emplace_back(\n"
              "      \"$method$\", $flags$::ttrpc::service_internal::$glue$<\n"
              "          $class$, $request$, $reply$,\n"
              "          &$class$::$name$>);\n");
  }
  out.Print("  return server.Register(::std::move(description));\n}\n");
}

void PrintHead(const FileDescriptor& file, Printer& out) {
  out.Print("// Generated by protoc-gen-cpp-ttrpc from $file$. Do not edit.\n", "file",
            file.name());
}

}  // namespace

std::string OutputBase(const FileDescriptor& file) { return StripProto(file.name()) + ".ttrpc"; }

std::string HeaderText(const FileDescriptor& file, const Options& options) {
  return Text([&](Printer& out) {
    PrintHead(file, out);
    out.Print(
        "#pragma once\n"
        "\n"
        // Names of messages may be macros in headers that follow.
        "#include \"$base$.pb.h\"\n"
        "\n"
        "#include <ttrpc/client.h>\n"
        "#include <ttrpc/server.h>\n"
        "#include <ttrpc/service.h>\n"
        "\n",
        "base", StripProto(file.name()));
    OpenNamespaces(file, out);
    for (int i = 0; i < file.service_count(); ++i) {
      if (i > 0) out.Print("\n");
      PrintInterface(*file.service(i), options, out);
      PrintClient(*file.service(i), options, out);
      PrintRegister(*file.service(i), options, out);
    }
    CloseNamespaces(file, out);
  });
}

std::string SourceText(const FileDescriptor& file, const Options& options) {
  return Text([&](Printer& out) {
    PrintHead(file, out);
    out.Print(
        "#include \"$base$.h\"\n"
        "\n"
        "#include <optional>\n"
        "#include <utility>\n"
        "\n",
        "base", OutputBase(file));
    OpenNamespaces(file, out);
    out.Print("namespace {\n\n");
    for (int i = 0; i < file.service_count(); ++i) PrintNames(*file.service(i), options, out);
    out.Print("\n}  // namespace\n\n");
    for (int i = 0; i < file.service_count(); ++i) {
      if (i > 0) out.Print("\n");
      PrintClientSource(*file.service(i), options, out);
      PrintRegisterSource(*file.service(i), options, out);
    }
    CloseNamespaces(file, out);
  });
}

}  // namespace ttrpc::compiler
