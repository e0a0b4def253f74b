//! What `millrace dev` prints when it is ready: addresses, and three commands that work as they stand. Keys are shown
//! only on a terminal and only where the listener is a loopback one: a container's log is read by others.

use std::fmt::{self, Write};
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

fn write(text: &mut String, dev: &Dev, place: &Place) -> fmt::Result {
    let show_keys = place.terminal && dev.loopback;
    let (version, seconds) = (env!("CARGO_PKG_VERSION"), dev.start_time.as_secs_f64());
    let (folder, shards) = (dev.data_dir.display(), dev.platform.shards.count());
    writeln!(
        text,
        "\n  Millrace {version}   ready in {seconds:.1} s   embedded: {shards} SQLite shards in {folder}"
    )?;
    addresses(text, dev, place, show_keys)?;
    samples(text, dev)?;
    keys(text, dev, show_keys)?;
    commands(text, dev, place)?;
    writeln!(text, "  Stop       Ctrl-C; the data stays\n")
}

/// What to open, and what listens elsewhere than by default.
fn addresses(text: &mut String, dev: &Dev, place: &Place, show_keys: bool) -> fmt::Result {
    let running = &dev.running;
    let (address, url) = (reachable(running.public_addr), &dev.environment.url);
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
    let bound = [Some(running.public_addr), running.admin_addr];
    for pair in place.defaults.iter().zip(bound) {
        if let (Some(default), Some(bound)) = pair
            && *default != bound
        {
            writeln!(text, "             {default} is taken: this is a free port")?;
        }
    }
    Ok(())
}

fn samples(text: &mut String, dev: &Dev) -> fmt::Result {
    let Some(seeding) = &dev.seeding else { return Ok(()) };
    let how = if seeding.new { "new" } else { "there already" };
    let (products, users, orders) = (seeding.products, seeding.users, seeding.orders);
    let seed = seeding.seed;
    writeln!(
        text,
        "  Samples    {products} products, {users} users, {orders} orders ({how}; seed {seed})"
    )
}

fn keys(text: &mut String, dev: &Dev, show_keys: bool) -> fmt::Result {
    let file = dev.data_dir.join("dev.env");
    let (file, environment) = (file.display(), &dev.environment);
    if !show_keys {
        return writeln!(text, "  Keys       in {file}");
    }
    let (shopper, user) = (&environment.api_key, &environment.user);
    writeln!(text, "  Keys       shopper  {shopper}   ({user})")?;
    let operator = &environment.admin_key;
    writeln!(text, "             operator {operator}   both are in {file}")
}

/// Three commands that work as they stand.
fn commands(text: &mut String, dev: &Dev, place: &Place) -> fmt::Result {
    let (address, url) = (reachable(dev.running.public_addr), &dev.environment.url);
    let (user, file) = (&dev.environment.user, dotted(dev));
    writeln!(
        text,
        "  Try        . {file}; curl -sw '\\n' -H \"Authorization: Bearer $MILLRACE_API_KEY\" {url}/v1/{user}/orders"
    )?;
    writeln!(
        text,
        "             . {file}; grpcurl -plaintext -H \"authorization: Bearer $MILLRACE_API_KEY\" \
         -d '{{\"parent\":\"{user}\",\"page_size\":2}}' {address} millrace.ordering.v1.OrderingService/ListOrders"
    )?;
    let data_dir = if dev.data_dir.as_os_str() == ".millrace" {
        String::new()
    } else {
        format!(" --data-dir {}", dev.data_dir.display())
    };
    writeln!(text, "             {} load --rate 2/s{data_dir}", place.program)
}

/// The path of `dev.env` as the shell's `.` wants it: one without a slash would be looked for in the PATH.
fn dotted(dev: &Dev) -> String {
    let path = dev.data_dir.join("dev.env").display().to_string();
    if path.contains('/') { path } else { format!("./{path}") }
}
