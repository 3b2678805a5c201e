// SPDX-License-Identifier: Apache-2.0

//! Generates the messages and both kinds of service code from the .proto files beside this crate.

use std::path::{Path, PathBuf};
use ttrpc_codegen::{Codegen, Customize, ProtobufCustomize};

fn generate(kind: &str, protos: &[&str], customize: Customize) {
    let out = PathBuf::from(std::env::var("OUT_DIR").unwrap()).join(kind);
    std::fs::create_dir_all(&out).unwrap();
    let folder = Path::new("../proto");
    for proto in protos {
        println!("cargo:rerun-if-changed=../proto/{proto}");
    }
    Codegen::new()
        .out_dir(&out)
        .inputs(protos.iter().map(|proto| folder.join(proto)))
        .include(folder)
        .rust_protobuf()
        .rust_protobuf_customize(ProtobufCustomize::default().gen_mod_rs(true))
        .customize(customize)
        .run()
        .unwrap();
    let mut modules = std::fs::read_to_string(out.join("mod.rs")).unwrap();
    for proto in protos {
        modules += &format!("pub mod {}_ttrpc;\n", proto.trim_end_matches(".proto"));
    }
    std::fs::write(out.join("mod.rs"), modules).unwrap();
}

fn main() {
    let asynchronous = Customize { async_all: true, ..Default::default() };
    generate("asynchronous", &["echo.proto", "streams.proto"], asynchronous);
    generate("synchronous", &["echo.proto"], Customize::default());
}
