//! Telemetry, admin pages and systemd's notifications of one process.

use std::env;

use anyhow::Context;
use opentelemetry_sdk::trace::SdkTracer;
use tracing::info;

use crate::{
    Exit, Failed, Stop, WithExit,
    about::{About, Role},
    export::{Ignored, Settings, Telemetry},
    health::{Admin, Heartbeat, Pages, ServiceManager, readiness},
    settings::CommonFlags,
    telemetry_thread::TelemetryThread,
};

/// Everything that shows a process to the outside, beside its log. A command has traces alone: it
/// ends before anyone could ask for the rest.
#[derive(Default)]
pub(crate) struct Observability {
    // Dropped in this order: waiting telemetry needs the thread's runtime.
    telemetry: Telemetry,
    admin: Option<Admin>,
    manager: Option<ServiceManager>,
    thread: Option<TelemetryThread>,
    ignored: Vec<Ignored>,
}

impl Observability {
    /// Prepares all of it, as far as possible before there is a log.
    ///
    /// # Errors
    /// [`Exit::Configuration`] and [`Exit::PortTaken`], each naming the flag or variable.
    pub(crate) fn prepare(about: &About, flags: &CommonFlags) -> Result<Self, Failed> {
        let (endpoint, listen) = (flags.telemetry.endpoint(), flags.health.listen());
        let mut settings = Settings::read(endpoint, &|name| env::var_os(name))?;
        let ignored = std::mem::take(&mut settings.ignored);
        let (mut admin, mut manager) = (None, None);
        if about.role == Role::Command {
            settings = settings.without_metrics();
        } else {
            let by_variable =
                "OTEL_METRICS_EXPORTER=prometheus (OTEL_EXPORTER_PROMETHEUS_HOST and _PORT)";
            let listen = listen.map(|address| (address, "--admin-listen"));
            let listen = listen.or(settings.scrape_at.as_deref().map(|at| (at, by_variable)));
            admin = listen
                .map(|(address, source)| Admin::bind(address, source))
                .transpose()?;
            manager = ServiceManager::from_process()
                .context("NOTIFY_SOCKET is no address of a socket: unset it, or correct it")
                .exit(Exit::Configuration)?;
        }
        if !settings.any() && admin.is_none() && manager.is_none() {
            return Ok(Self {
                ignored,
                ..Self::default()
            });
        }
        let thread = TelemetryThread::start().context("start a thread")?;
        let telemetry = Telemetry::start(about, &settings, admin.is_some(), &thread)
            .context("set up telemetry")
            .exit(Exit::Configuration)?;
        Ok(Self {
            telemetry,
            admin,
            manager,
            thread: Some(thread),
            ignored,
        })
    }

    /// Logs the environment variables that were ignored.
    pub(crate) fn log_ignored(&self) {
        self.ignored.iter().for_each(Ignored::log);
    }

    /// The maker of spans, if traces are on.
    pub(crate) fn tracer(&self) -> Option<SdkTracer> {
        self.telemetry.tracer()
    }

    /// Opens the pages and begins to notify systemd. Call it among the program's tasks.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(&mut self, about: &About, stop: &Stop) -> Result<(), Failed> {
        let readiness = readiness();
        let (admin, manager) = (self.admin.take(), self.manager.take());
        let Some(thread) = self
            .thread
            .as_ref()
            .filter(|_| admin.is_some() || manager.is_some())
        else {
            return Ok(());
        };
        let heartbeat = manager
            .as_ref()
            .map_or_else(Heartbeat::default, ServiceManager::heartbeat);
        tokio::spawn(heartbeat.clone().beat());
        let notifier = manager.as_ref().map(ServiceManager::notifier).transpose();
        let notifier = notifier.context("open a second socket to systemd")?;
        let stop = stop.clone();
        tokio::spawn(async move {
            stop.requested().await;
            readiness.stopping();
            if let Some(systemd) = notifier {
                systemd.notify_stopping();
            }
        });
        if let Some(manager) = manager {
            thread
                .handle()
                .spawn(manager.notify(readiness, heartbeat.clone()));
        }
        let Some(admin) = admin else { return Ok(()) };
        let address = admin.address().context("open the admin pages")?;
        let pages = Pages {
            about: *about,
            readiness,
            heartbeat,
            scrape: self.telemetry.scrape.clone(),
        };
        admin.serve(pages, thread).context("open the admin pages")?;
        info!(%address, "admin pages: /metrics /livez /readyz /version");
        Ok(())
    }
}
