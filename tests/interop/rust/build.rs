// SPDX-License-Identifier: Apache-2.0

//! Generates the messages once, and service code for both libraries, from the .proto files beside this crate
//! and in it.

use std::path::{Path, PathBuf};
use ttrpc_codegen::{Codegen, Customize, ProtobufCustomize};

fn generate(kind: &str, protos: &[&str], asynchronous: bool) {
    let out = PathBuf::from(std::env::var("OUT_DIR").unwrap()).join(kind);
    std::fs::create_dir_all(&out).unwrap();
    let (folder, own) = (Path::new("../proto"), Path::new("proto"));
    let path_of = |proto: &&str| match own.join(proto) {
        path if path.exists() => path,
        _ => folder.join(proto),
    };
    Codegen::new()
        .out_dir(&out)
        .inputs(protos.iter().map(path_of))
        .includes([folder, own])
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
        println!("cargo:rerun-if-changed={}", path_of(proto).display());
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
    let unary = ["echo.proto", "examples.proto"];
    let streams = ["streams.proto", "examples_streams.proto"];
    generate("asynchronous", &[unary, streams].concat(), true);
    generate("synchronous", &unary, false);
}
