// SPDX-License-Identifier: Apache-2.0

//! Generates the messages and the service from echo.proto.

use std::path::PathBuf;
use ttrpc_codegen::{Codegen, Customize, ProtobufCustomize};

fn main() {
    let out = PathBuf::from(std::env::var("OUT_DIR").unwrap());
    println!("cargo:rerun-if-changed=../echo.proto");
    Codegen::new()
        .out_dir(&out)
        .input("../echo.proto")
        .include("..")
        .rust_protobuf()
        .rust_protobuf_customize(ProtobufCustomize::default().gen_mod_rs(false))
        .customize(Customize {
            async_all: true,
            ..Default::default()
        })
        .run()
        .unwrap();
    let modules = "pub mod echo;\npub mod echo_ttrpc;\n";
    std::fs::write(out.join("generated.rs"), modules).unwrap();
}
