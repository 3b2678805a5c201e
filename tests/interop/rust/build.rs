// SPDX-License-Identifier: Apache-2.0

//! Generates the messages once, and service code for both libraries, from the .proto files beside this crate.

use std::path::{Path, PathBuf};
use ttrpc_codegen::{Codegen, Customize, ProtobufCustomize};

fn generate(kind: &str, protos: &[&str], asynchronous: bool) {
    let out = PathBuf::from(std::env::var("OUT_DIR").unwrap()).join(kind);
    std::fs::create_dir_all(&out).unwrap();
    let folder = Path::new("../proto");
    Codegen::new()
        .out_dir(&out)
        .inputs(protos.iter().map(|proto| folder.join(proto)))
        .include(folder)
        .rust_protobuf()
        .rust_protobuf_customize(ProtobufCustomize::default().gen_mod_rs(false))
        .customize(Customize {
            async_all: asynchronous,
            ..Default::default()
        })
        .run()
        .unwrap();
    let mut modules = String::new();
    for proto in protos {
        println!("cargo:rerun-if-changed=../proto/{proto}");
        let name = proto.trim_end_matches(".proto");
        modules += &format!("pub mod {name}_ttrpc;\n");
        modules += &match asynchronous {
            true => format!("pub mod {name};\n"),
            false => format!("pub use super::asynchronous::{name};\n"),
        };
    }
    std::fs::write(out.join("mod.rs"), modules).unwrap();
}

fn main() {
    generate("asynchronous", &["echo.proto", "streams.proto"], true);
    generate("synchronous", &["echo.proto"], false);
}
