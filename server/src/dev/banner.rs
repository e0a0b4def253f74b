//! What `millrace dev` prints when it is ready: addresses, and three commands that work as they stand. Keys are shown
//! only on a terminal and only where the listener is a loopback one: a container's log is read by others.

use std::fmt::Write;
use std::net::SocketAddr;

use super::{Dev, reachable};

/// Where the banner is printed.
#[derive(Debug, Clone)]
pub struct Place {
    /// Whether it is a terminal.
    pub terminal: bool,
    /// How this program was called, as in `target/release/millrace`.
    pub program: String,
    /// The default addresses, if `dev` was free to choose others: public, admin.
    pub defaults: [Option<SocketAddr>; 2],
}

/// Returns the banner.
pub fn banner(dev: &Dev, place: &Place) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, dev, place);
    text
}

fn write(text: &mut String, dev: &Dev, place: &Place) -> std::fmt::Result {
    let running = &dev.running;
    let (address, url) = (reachable(running.public_addr), &dev.environment.url);
    let (folder, shards) = (dev.data_dir.display(), dev.platform.shards.count());
    let show_keys = place.terminal && dev.loopback;
    let version = env!("CARGO_PKG_VERSION");
    let seconds = dev.start_time.as_secs_f64();

    writeln!(text)?;
    writeln!(
        text,
        "  Millrace {version}   ready in {seconds:.1} s   embedded: {shards} SQLite shards in {folder}"
    )?;
    let fragment = if show_keys {
        format!("#key={}", dev.environment.api_key)
    } else {
        String::new()
    };
    writeln!(text, "  Console    {url}/{fragment}")?;
    writeln!(text, "  REST       {url}/v1/products      OpenAPI {url}/openapi.json")?;
    writeln!(
        text,
        "  gRPC       {address}   (the same port; reflection and health are on)   gRPC-Web: the same port"
    )?;
    match running.admin_addr {
        Some(admin) => writeln!(text, "  Admin      http://{}/metrics", reachable(admin))?,
        None => writeln!(text, "  Admin      off")?,
    }
    for (default, bound) in place
        .defaults
        .iter()
        .zip([Some(running.public_addr), running.admin_addr])
    {
        if let (Some(default), Some(bound)) = (default, bound)
            && *default != bound
        {
            writeln!(text, "             {default} is taken: this is a free port")?;
        }
    }
    if let Some(seeding) = &dev.seeding {
        let how = if seeding.new { "new" } else { "there already" };
        let (products, users, orders) = (seeding.products, seeding.users, seeding.orders);
        let seed = seeding.seed;
        writeln!(
            text,
            "  Samples    {products} products, {users} users, {orders} orders ({how}; seed {seed})"
        )?;
    }
    let env_file = dev.data_dir.join("dev.env");
    let env_file = env_file.display();
    if show_keys {
        writeln!(
            text,
            "  Keys       shopper  {}   ({})",
            dev.environment.api_key, dev.environment.user
        )?;
        writeln!(
            text,
            "             operator {}   both are in {env_file}",
            dev.environment.admin_key
        )?;
    } else {
        writeln!(text, "  Keys       in {env_file}")?;
    }
    let user = &dev.environment.user;
    writeln!(
        text,
        "  Try        . {}; curl -s -H \"Authorization: Bearer $MILLRACE_API_KEY\" {url}/v1/{user}/orders",
        dotted(dev)
    )?;
    writeln!(
        text,
        "             . {}; grpcurl -plaintext -H \"authorization: Bearer $MILLRACE_API_KEY\" \
         -d '{{\"parent\":\"{user}\",\"page_size\":2}}' {address} millrace.ordering.v1.OrderingService/ListOrders",
        dotted(dev)
    )?;
    let data_dir = if dev.data_dir.as_os_str() == ".millrace" {
        String::new()
    } else {
        format!(" --data-dir {folder}")
    };
    writeln!(text, "             {} load --rate 2/s{data_dir}", place.program)?;
    writeln!(text, "  Stop       Ctrl-C; the data stays\n")
}

/// The path of `dev.env` as the shell's `.` wants it: one without a slash would be looked for in the PATH.
fn dotted(dev: &Dev) -> String {
    let path = dev.data_dir.join("dev.env").display().to_string();
    if path.contains('/') { path } else { format!("./{path}") }
}
